#pragma once

// The "error" object of both engines, and what each kind means for a write. Pure.

#include <simdjson.h>

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/elastic/bulk.h"

namespace searchsync::elastic {

// At most this much of an engine's explanation is kept; some repeat values of the document, so it
// belongs into a dead letter and not into a log.
inline constexpr size_t kReasonBytesMax = 1024;

struct EngineError {
  std::string type;    // "mapper_parsing_exception"; empty if the engine gave none
  std::string reason;  // with the chain of causes

  std::string text() const;  // "type: reason", at most kReasonBytesMax bytes
};

// error: {"type", "reason", "caused_by": {…}, …} or a text. kMalformed if neither, or torn.
Result<EngineError> parse_engine_error(simdjson::ondemand::value error);

// body: of a response that is not 2xx, of any form: {"error": {…}}, {"error": "text"}, a proxy's
// page.
EngineError read_engine_error(int http_status, std::string_view body);

// What an operation's failure (status not 2xx) means. By type first, because engines use one status
// for several things:
//
// cluster_block_exception  retry: the index is read-only, because the disk is full (flood stage), a
//                          snapshot or resize runs or a person said so; whoever did it will undo
//                          it, and no document is at fault
// index_not_found          fatal: the generation has been removed, or its write alias has;
// invalid_index_name       fatal: the same, told by an engine that tried to create the index
// index_closed             fatal: a person closed it, and only a person opens it
// security_exception       fatal: the credentials do not suffice for any document; also 401 and 403
// version_conflict_…  409  stale: something newer is there
// 408 429 5xx              retry: overload, a shard without a primary, a node that leaves
// other 409                retry: never seen; nothing may be lost by calling it success
// other 4xx                rejected: this document does not fit (mapping, number of fields, depth)
// anything else            fatal: a redirect or the like; this is not the engine's API
Outcome judge(int status, std::string_view type);

}  // namespace searchsync::elastic
