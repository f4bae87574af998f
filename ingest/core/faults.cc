#include "ingest/core/faults.h"

#include "ingest/core/excerpt.h"

namespace searchsync::ingest {

void Faults::add(size_t place, std::string_view field, std::string reason) {
  if (places_.empty() || places_.back() != place) places_.push_back(place);
  if (!full()) list_.push_back({place, std::string(excerpt(field)), std::move(reason)});
}

}  // namespace searchsync::ingest
