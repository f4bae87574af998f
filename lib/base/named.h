#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace searchsync {

// A value that cannot be mistaken for another of the same representation.
template <class T, class Tag>
class Named {
 public:
  constexpr Named() = default;
  constexpr explicit Named(T value) : value_(std::move(value)) {}
  constexpr const T& get() const { return value_; }
  friend constexpr auto operator<=>(const Named&, const Named&) = default;

 private:
  T value_{};
};

// A place in one partition of a Kafka topic, counted from 0.
using Offset = Named<int64_t, struct OffsetTag>;
// A partition of a Kafka topic, counted from 0.
using Partition = Named<int32_t, struct PartitionTag>;
// A generation of an index: 1 is the first that ever folded its document log.
using Generation = Named<int32_t, struct GenerationTag>;
// The name of one concrete index in the search engine (never an alias).
using IndexName = Named<std::string, struct IndexNameTag>;

}  // namespace searchsync

template <class T, class Tag>
struct std::hash<searchsync::Named<T, Tag>> {
  size_t operator()(const searchsync::Named<T, Tag>& named) const {
    return std::hash<T>{}(named.get());
  }
};
