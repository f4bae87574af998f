#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/function_ref.h"

namespace searchsync::worker {

// The state of one partition: an ordered map of bytes. What is put is read back at once; commit()
// makes all of it since the last commit one step: after a crash the store is as it was at some
// commit, not always the last one. Not thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  // False if there is no such key; otherwise `value` is replaced.
  virtual bool get(std::string_view key, std::string& value) = 0;
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;

  // Calls visit(key, value) for each key with the prefix that is greater than `after`, in order,
  // until it returns false. The views are valid during the call; visit must not change the store.
  virtual void scan(std::string_view prefix, std::string_view after,
                    FunctionRef<bool(std::string_view, std::string_view)> visit) = 0;

  virtual void commit() = 0;
  // Forgets everything, at once.
  virtual void clear() = 0;
};

// For tests: a std::map.
class MemoryStore : public Store {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;

  bool get(std::string_view key, std::string& value) override;
  void put(std::string_view key, std::string_view value) override;
  void erase(std::string_view key) override;
  void scan(std::string_view prefix, std::string_view after,
            FunctionRef<bool(std::string_view, std::string_view)> visit) override;
  void commit() override {}
  void clear() override { map_.clear(); }

  const Map& map() const { return map_; }
  void restore(Map map) { map_ = std::move(map); }

 private:
  Map map_;
};

}  // namespace searchsync::worker
