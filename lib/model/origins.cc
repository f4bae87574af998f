#include "lib/model/origins.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "lib/model/resource_schema.h"

namespace searchsync::model {

std::string object_name(std::string_view kind, const ObjectMeta& metadata) {
  return fmt::format("{} {}/{}", kind, metadata.namespace_, metadata.name);
}

std::string object_name(const SearchIndex& index) {
  return object_name(kSearchIndexKind, index.metadata);
}

std::string object_name(const SourceBinding& binding) {
  return object_name(kSourceBindingKind, binding.metadata);
}

bool Origins::add(const std::string& object, Origin origin) {
  return origins_.try_emplace(object, std::move(origin)).second;
}

const Origin* Origins::find(std::string_view object) const {
  const auto found = origins_.find(object);
  return found == origins_.end() ? nullptr : &found->second;
}

bool Origins::may_exist(std::string_view object) const {
  const Origin* origin = find(object);
  return origin == nullptr ? incomplete_ : origin->broken;
}

bool Origins::hides_objects() const {
  return incomplete_ || std::any_of(origins_.begin(), origins_.end(),
                                    [](const auto& entry) { return entry.second.broken; });
}

Fault Origins::fault(std::string object, std::string path, std::string message) const {
  Fault fault;
  if (const Origin* origin = find(object)) {
    Position position = origin->position;
    std::string_view known = path;
    while (!known.empty()) {
      if (const auto found = origin->positions.find(known); found != origin->positions.end()) {
        position = found->second;
        break;
      }
      const size_t last = known.find_last_of(".[");
      known = last == std::string_view::npos ? std::string_view{} : known.substr(0, last);
    }
    fault.file = origin->file;
    fault.line = position.line;
    fault.column = position.column;
  }
  fault.object = std::move(object);
  fault.path = std::move(path);
  fault.message = std::move(message);
  return fault;
}

}  // namespace searchsync::model
