#include "aggregate/run/state_store.h"

#include <fmt/core.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <utility>

#include "lib/base/check.h"

namespace searchsync::aggregate {
namespace {

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}

// The first text behind all that have the prefix.
std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  CHECK(!end.empty());
  end.back() = static_cast<char>(end.back() + 1);
  return end;
}

// A failure of the disk is none that could be gone on from: the state is a cache.
void expect(const rocksdb::Status& status, std::string_view doing) {
  CHECK(status.ok(), "{} the state: {}", doing, status.ToString());
}

class PrefixStore : public worker::Store {
 public:
  PrefixStore(rocksdb::DB& db, std::string prefix) : db_(db), prefix_(std::move(prefix)) {
    CHECK(!prefix_.empty());
    options_.disableWAL = true;
  }

  bool get(std::string_view key, std::string& value) override {
    const auto status = db_.Get(rocksdb::ReadOptions(), slice(key), &value);
    if (status.IsNotFound()) return false;
    expect(status, "reading");
    return true;
  }
  void put(std::string_view key, std::string_view value) override {
    expect(batch_.Put(slice(key), slice(value)), "writing");
  }
  void erase(std::string_view key) override { expect(batch_.Delete(slice(key)), "writing"); }

  void scan(std::string_view prefix, std::string_view after,
            FunctionRef<bool(std::string_view, std::string_view)> visit) override {
    rocksdb::ReadOptions options;
    const std::string end = end_of(prefix);
    const rocksdb::Slice upper(end);
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> at(db_.NewIterator(options));
    const bool from_after = after > prefix;
    at->Seek(slice(from_after ? after : prefix));
    if (from_after && at->Valid() && at->key() == slice(after)) at->Next();
    for (; at->Valid(); at->Next()) {
      if (!visit(at->key().ToStringView(), at->value().ToStringView())) return;
    }
    expect(at->status(), "reading");
  }

  void commit() override {
    expect(db_.Write(options_, &batch_), "writing");
    batch_.Clear();
  }
  void clear() override {
    batch_.Clear();
    expect(batch_.DeleteRange(prefix_, end_of(prefix_)), "writing");
    commit();
  }

 private:
  rocksdb::DB& db_;
  const std::string prefix_;
  rocksdb::WriteOptions options_;
  rocksdb::WriteBatch batch_;
};

}  // namespace

struct StateStore::Impl {
  std::unique_ptr<rocksdb::DB> db;
};

StateStore::StateStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateStore::~StateStore() = default;

Result<std::unique_ptr<StateStore>> StateStore::open(const std::string& folder,
                                                     size_t memory_bytes) {
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
  rocks.memtable_whole_key_filtering = true;
  rocks.memtable_prefix_bloom_size_ratio = 0.05;
  rocks.keep_log_file_num = 2;
  rocks.max_log_file_size = 1 << 20;
  rocks.stats_dump_period_sec = 0;
  rocks.persist_stats_to_disk = false;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(memory_bytes / 3);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
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
  auto impl = std::make_unique<Impl>();
  impl->db.reset(db);
  return std::unique_ptr<StateStore>(new StateStore(std::move(impl)));
}

std::unique_ptr<worker::Store> StateStore::store(std::string prefix) {
  return std::make_unique<PrefixStore>(*impl_->db, std::move(prefix));
}

Result<void> StateStore::flush() {
  const auto status = impl_->db->Flush(rocksdb::FlushOptions());
  if (status.ok()) return {};
  return fail(ErrorCode::kUnavailable, "the state cannot be put on disk: " + status.ToString());
}

uint64_t StateStore::bytes() const {
  uint64_t files = 0, memory = 0;
  impl_->db->GetIntProperty("rocksdb.total-sst-files-size", &files);
  impl_->db->GetIntProperty("rocksdb.cur-size-all-mem-tables", &memory);
  return files + memory;
}

}  // namespace searchsync::aggregate
