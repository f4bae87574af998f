#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace rocksdb {
class DB;
class SliceTransform;
}  // namespace rocksdb

namespace searchsync::worker {

// A folder with a RocksDB for a state of which Kafka has the log: it has none of its own, so that
// after a crash it is as it was some minutes ago.
class StateFolder {
 public:
  // Creates the folder if need be. memory_bytes: of what is not on disk yet, and of blocks; a third
  // is left to the caller. prefix: what of a key filters know besides the whole; null: nothing.
  // Errors: kUnavailable, naming the folder: it cannot be written, is full, or another process has
  // it open.
  static Result<StateFolder> open(const std::string& folder, size_t memory_bytes,
                                  std::shared_ptr<const rocksdb::SliceTransform> prefix = nullptr);
  ~StateFolder();
  StateFolder(StateFolder&&) noexcept;

  rocksdb::DB& db() { return *db_; }

  // Puts everything written on disk.
  Result<void> flush();
  uint64_t bytes() const;

 private:
  explicit StateFolder(std::unique_ptr<rocksdb::DB> db);
  std::unique_ptr<rocksdb::DB> db_;
};

// The first key behind all that have the prefix, which is not all 0xff.
std::string end_of(std::string_view prefix);

}  // namespace searchsync::worker
