#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "lib/base/error.h"
#include "worker/core/store.h"

namespace searchsync::aggregate {

// The groups of one table on disk: a RocksDB without a write-ahead log, because the table's topic
// is one. After a crash it is as it was at some commit() of the last minutes; what came after is
// read from the topic again.
//
// Not thread-safe: one thread owns it and its stores.
class StateStore {
 public:
  // Creates the folder if need be. memory_bytes: of what is not on disk yet, and of blocks.
  // Errors: kUnavailable, naming the folder: it cannot be written, is full, or another process has
  // it open.
  static Result<std::unique_ptr<StateStore>> open(const std::string& folder, size_t memory_bytes);
  ~StateStore();

  // That of the keys with this prefix, which is not empty; it must not outlive this. What is put is
  // read back only once it is committed.
  std::unique_ptr<worker::Store> store(std::string prefix);

  // Puts everything committed on disk.
  Result<void> flush();
  uint64_t bytes() const;

 private:
  struct Impl;
  explicit StateStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Removes the states in `folder` of tables that are none of `tables`: one that is made again later,
// under the same name, would take what an earlier one has left for its own. It still does where
// nothing was started on that folder in between.
void remove_others(const std::filesystem::path& folder, const std::set<std::string>& tables);

}  // namespace searchsync::aggregate
