#pragma once

// Where a document is, in an index that is partitioned by time. See
// docs/decisions/0009-time-partitions.md.

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/named.h"
#include "lib/model/pipeline.h"
#include "worker/core/tuple.h"

namespace searchsync::worker {

struct Place {
  model::Period period;
  std::string routing;  // empty: by the document's id
  friend auto operator<=>(const Place&, const Place&) = default;
};

// By the root's row alone, so that the same row always has the same place. Nothing: it has no time,
// or none that can be read, or is routed by what is not one value: who searches for one of several
// would be sent to another shard.
std::optional<Place> place_of(const model::PartitionPlan& plan, const TupleView& root);
// For people, of a row that has none.
std::string why_no_place(const model::PartitionPlan& plan, const TupleView& root);

// A place that a document has left, and the offset of the message by which it has.
struct Left {
  Place place;
  Offset since;
};

std::string encode_left(const std::vector<Left>& left);
std::vector<Left> decode_left(std::string_view bytes);

}  // namespace searchsync::worker
