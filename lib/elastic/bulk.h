#pragma once

// The _bulk API of Elasticsearch and OpenSearch: bytes out, outcomes in. Pure.
//
//   std::string body;
//   append_index(body, id, version, document);   // or append_delete; N of them
//   client.submit(bulk_request(index, std::move(body), timeout), …);
//   auto outcomes = parse_bulk_response(response.status, response.body, N);

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"

namespace searchsync::http {
struct ClientRequest;
}

namespace searchsync::elastic {

// Both engines refuse a longer id, and with it the whole request that holds it.
inline constexpr size_t kDocumentIdBytesMax = 512;

// Of an operation that is for another index than the request, or for one shard of it.
struct Address {
  std::string index;    // a write alias; empty: as the request
  std::string routing;  // empty: by the id
};

// Appends one operation. `id`: 1 to kDocumentIdBytesMax bytes of UTF-8. `version`: > 0; the write
// wins over everything of a version not above it (version_type=external_gte). `document`: a JSON
// object without a line break.
void append_index(std::string& body, std::string_view id, int64_t version,
                  std::string_view document, const Address& address = {});
void append_delete(std::string& body, std::string_view id, int64_t version,
                   const Address& address = {});

// The request that writes `body` to a generation. It goes to the generation's write alias, whose
// name makes sure that a write cannot create an index: aliases may have capital letters, indices
// may not. So a worker that outlives its generation gets kFatal, instead of leaving behind an index
// with guessed mappings. Nothing else does on both engines: action.auto_create_index belongs to the
// cluster's owner, OpenSearch's templates know no allow_auto_create, and require_alias leaves out
// deletes, which create the index they are sent to when their version is external.
http::ClientRequest bulk_request(const IndexName& index, std::string body,
                                 std::chrono::milliseconds timeout);

// Asks whether a generation is there to be written to: 200 or 404.
http::ClientRequest exists_request(const IndexName& index, std::chrono::milliseconds timeout);

// Makes an index. body: of index_body.
http::ClientRequest create_request(const IndexName& index, std::string body,
                                   std::chrono::milliseconds timeout);
// Gives an index fields. mappings: of added_fields().
http::ClientRequest add_fields_request(const IndexName& index, std::string mappings,
                                       std::chrono::milliseconds timeout);
// Nothing: it has them. Else why not; with status 400: it never will.
std::optional<std::string> add_fields_failure(int http_status, std::string_view body);
// Nothing: it is there, made now or before. Else why not.
std::optional<std::string> create_failure(int http_status, std::string_view body);

// The alias that exists as long as its index and is written to. index_body creates it, hidden.
std::string write_alias(const IndexName& index);

enum class Outcome {
  kApplied,   // done; also a delete of what is not there
  kStale,     // something newer is there: success
  kRetry,     // not done now; the same operation may be later
  kRejected,  // never, for this document: a dead letter
  kFatal,     // never, for any document, until a person acts: stop
};

struct ItemOutcome {
  Outcome outcome = Outcome::kApplied;
  int status = 0;        // of the item, or of the whole response when that failed
  bool missing = false;  // kFatal because the index is not there
  std::string reason;  // "type: reason; caused by type: reason", at most 1 KiB; empty when applied
};

// Pairs each operation sent with its outcome. Outcome i belongs to operation i of the body.
//
// sent: number of operations in the request, >= 1. body: what came back, of any form.
// A response that fails as a whole (429, 5xx, 401, …) gives the same outcome to each operation.
// Errors: kLimit when the request as a whole was refused because of something in it (413, 400):
// send its halves; a single operation is never answered so, but kRejected. kMalformed when the body
// is not a bulk response or has another number of items: nothing is known, send all of it again.
// Source: Elasticsearch 8.16 and OpenSearch 2.19, Bulk API, "Response body".
Result<std::vector<ItemOutcome>> parse_bulk_response(int http_status, std::string_view body,
                                                     size_t sent);

std::string_view to_string(Outcome outcome);

}  // namespace searchsync::elastic
