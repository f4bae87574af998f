#include "worker/run/state_folder.h"

#include <fmt/core.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include <filesystem>
#include <utility>

#include "lib/base/check.h"

namespace searchsync::worker {

StateFolder::StateFolder(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}
StateFolder::~StateFolder() = default;
StateFolder::StateFolder(StateFolder&&) noexcept = default;

Result<StateFolder> StateFolder::open(const std::string& folder, size_t memory_bytes,
                                      std::shared_ptr<const rocksdb::SliceTransform> prefix) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  rocksdb::Options rocks;
  rocks.create_if_missing = true;
  rocks.write_buffer_size = memory_bytes / 3;
  rocks.max_write_buffer_number = 2;
  rocks.max_background_jobs = 2;
  rocks.max_open_files = 256;
  rocks.compression = rocksdb::kLZ4Compression;
  rocks.level_compaction_dynamic_level_bytes = true;
  rocks.prefix_extractor = std::move(prefix);
  rocks.memtable_whole_key_filtering = true;
  rocks.memtable_prefix_bloom_size_ratio = 0.05;
  rocks.keep_log_file_num = 2;
  rocks.max_log_file_size = 1 << 20;
  rocks.stats_dump_period_sec = 0;
  rocks.persist_stats_to_disk = false;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(memory_bytes / 3);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // In pieces, so that a small cache holds the part in use of a large state's filters and indices.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(rocks, folder, &db);
  if (!status.ok()) {
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("the state folder {} cannot be opened: {}. It is only a cache: if it is "
                    "damaged, delete it",
                    folder, status.ToString()));
  }
  return StateFolder(std::unique_ptr<rocksdb::DB>(db));
}

Result<void> StateFolder::flush() {
  const auto status = db_->Flush(rocksdb::FlushOptions());
  if (status.ok()) return {};
  return fail(ErrorCode::kUnavailable, "the state cannot be put on disk: " + status.ToString());
}

uint64_t StateFolder::bytes() const {
  uint64_t files = 0, memory = 0;
  db_->GetIntProperty("rocksdb.total-sst-files-size", &files);
  db_->GetIntProperty("rocksdb.cur-size-all-mem-tables", &memory);
  return files + memory;
}

std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  CHECK(!end.empty());
  end.back() = static_cast<char>(end.back() + 1);
  return end;
}

}  // namespace searchsync::worker
