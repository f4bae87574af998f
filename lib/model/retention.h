#pragma once

// How long the partitions of an index are kept.

#include <chrono>
#include <span>
#include <string>

#include "lib/model/resources.h"

namespace searchsync::model {

// Nobody has written to a partition for so long before it is dropped: clocks differ.
inline constexpr std::chrono::minutes kDropAfter{10};

// What of the root's rows decides on their period, of a partitioned index; else empty.
std::string time_source(const SearchIndex& index, std::span<const SourceBinding> bindings);

}  // namespace searchsync::model
