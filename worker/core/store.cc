#include "worker/core/store.h"

namespace searchsync::worker {

bool MemoryStore::get(std::string_view key, std::string& value) {
  const auto found = map_.find(key);
  if (found == map_.end()) return false;
  value = found->second;
  return true;
}

void MemoryStore::put(std::string_view key, std::string_view value) {
  map_.insert_or_assign(std::string(key), std::string(value));
}

void MemoryStore::erase(std::string_view key) {
  const auto found = map_.find(key);
  if (found != map_.end()) map_.erase(found);
}

void MemoryStore::scan(std::string_view prefix, std::string_view after,
                       FunctionRef<bool(std::string_view, std::string_view)> visit) {
  auto at = after > prefix ? map_.upper_bound(after) : map_.lower_bound(prefix);
  for (; at != map_.end() && at->first.starts_with(prefix); ++at) {
    if (!visit(at->first, at->second)) return;
  }
}

}  // namespace searchsync::worker
