#pragma once

// Which of a partitioned index's indices a query is put to. Pure. See
// docs/decisions/0009-time-partitions.md and lib/elastic/readers.h.

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/model/resources.h"
#include "query/ask.h"
#include "query/fields.h"

namespace searchsync::query {

// What a search is put to.
struct Target {
  // For the engine's path: all of an index; or the names of all periods in which documents can fit,
  // some of which may not exist, and of the index without documents.
  std::string names;
  std::string parameters;  // "&ignore_unavailable=true…"
  int64_t shards = 1;      // asked of each index

  // How many partitions answer with so many shards; one more index was asked, without documents.
  int64_t partitions(int64_t answering) const { return answering / shards - 1; }
};

class Partitions {
 public:
  // shards: of each of its indices, at least 1.
  // catalog: of all fields. Where documents are routed by a field of which equal values may differ,
  // as with a normalizer, a search cannot tell the shard.
  Partitions(std::string alias, model::PartitioningSpec spec, int32_t shards,
             const FieldCatalog& catalog);

  // of: the alias, or a generation.
  Target target(const Ask& ask, int64_t now_ms, const std::string& of) const;
  std::string all(const std::string& of) const;

 private:
  std::string names(const Ask& ask, int64_t now_ms, const std::string& of) const;
  // The one value that all documents found must have. Empty: there is none, or it has no route.
  std::string routing(const Ask& ask) const;
  std::string name(const std::string& of, std::string_view period) const;

  const std::string alias_;
  const model::PartitioningSpec spec_;
  const int32_t shards_;
};

}  // namespace searchsync::query
