#include "worker/run/state_database.h"

#include <fmt/core.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "lib/base/check.h"
#include "worker/core/keys.h"

namespace searchsync::worker {
namespace {

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}

// Lets a scan leave out what surely has none of its keys, by the filters.
class ScannedPrefix : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "searchsync.ScannedPrefix"; }
  bool InDomain(const rocksdb::Slice& key) const override {
    return scanned_prefix(key.ToStringView()) > 0;
  }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), scanned_prefix(key.ToStringView())};
  }
};

rocksdb::WriteOptions without_log() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

// What was read lately. Two generations: when the newer is full it becomes the older, and what was
// not asked for meanwhile is forgotten.
class RecentValues {
 public:
  explicit RecentValues(size_t bytes_max) : half_bytes_max_(bytes_max / 2) {}

  // Null if nothing is known. Valid until the next call.
  const std::optional<std::string>* find(std::string_view key) {
    if (const auto found = newer_.find(key); found != newer_.end()) return &found->second;
    const auto found = older_.find(key);
    if (found == older_.end()) return nullptr;
    auto node = older_.extract(found);
    grow(node.key(), node.mapped());
    return &newer_.insert(std::move(node)).position->second;
  }

  // What was read from below.
  void remember(std::string_view key, std::string_view value) {
    const auto added = newer_.emplace(key, value).first;
    grow(added->first, added->second);
  }

  // What is written. Only what was read before is likely to be read again.
  void update(std::string_view key, std::optional<std::string_view> value) {
    for (auto* values : {&newer_, &older_}) {
      const auto found = values->find(key);
      if (found == values->end()) continue;
      if (value) {
        found->second = *value;
      } else {
        found->second.reset();
      }
      return;
    }
  }

  // Forgets what was not asked for lately, if there is too much.
  void trim() {
    if (newer_bytes_ < half_bytes_max_) return;
    older_ = std::exchange(newer_, {});
    newer_bytes_ = 0;
  }

  void clear() {
    newer_.clear();
    older_.clear();
    newer_bytes_ = 0;
  }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Values = std::unordered_map<std::string, std::optional<std::string>, Hash, std::equal_to<>>;

  // An entry costs its node and its place in the table besides its bytes.
  void grow(const std::string& key, const std::optional<std::string>& value) {
    newer_bytes_ += 128 + key.size() + (value ? value->size() : 0);
  }

  const size_t half_bytes_max_;
  Values newer_;
  Values older_;
  size_t newer_bytes_ = 0;
};

// The writes since the last commit, over what the database has.
class PartitionStore : public Store {
 public:
  PartitionStore(rocksdb::DB& db, RecentValues& recent, std::string prefix)
      : db_(db), recent_(recent), prefix_(std::move(prefix)) {}

  bool get(std::string_view key, std::string& value) override {
    if (const auto* known = recent_.find(key)) {
      if (*known) value = **known;
      return known->has_value();
    }
    if (const auto found = written_.find(key); found != written_.end()) {
      if (found->second) value = *found->second;
      return found->second.has_value();
    }
    const auto status = db_.Get(rocksdb::ReadOptions(), slice(key), &value);
    CHECK(status.ok() || status.IsNotFound(), "reading the state: {}", status.ToString());
    if (status.ok()) recent_.remember(key, value);
    return status.ok();
  }

  void put(std::string_view key, std::string_view value) override {
    recent_.update(key, value);
    const auto found = written_.find(key);
    if (found != written_.end()) {
      found->second = value;
    } else {
      written_.emplace(key, value);
    }
  }

  void erase(std::string_view key) override {
    recent_.update(key, std::nullopt);
    const auto found = written_.find(key);
    if (found != written_.end()) {
      found->second.reset();
    } else {
      written_.emplace(key, std::nullopt);
    }
  }

  void scan(std::string_view prefix, std::string_view after,
            FunctionRef<bool(std::string_view, std::string_view)> visit) override;

  void commit() override {
    rocksdb::WriteBatch batch;
    for (const auto& [key, value] : written_) {
      const auto status = value ? batch.Put(key, *value) : batch.Delete(key);
      CHECK(status.ok(), "{}", status.ToString());
    }
    write(batch);
    written_.clear();
    recent_.trim();
  }

  void clear() override {
    written_.clear();
    recent_.clear();
    auto end = prefix_;
    CHECK(!end.empty() && end.back() != '\xff');
    end.back() = static_cast<char>(end.back() + 1);
    rocksdb::WriteBatch batch;
    CHECK(batch.DeleteRange(prefix_, end).ok());
    write(batch);
  }

 private:
  // The state is a cache of the log: when the disk fails there is nothing to save, and nothing that
  // could go on.
  void write(rocksdb::WriteBatch& batch) {
    const auto status = db_.Write(without_log(), &batch);
    CHECK(status.ok(), "writing the state: {}", status.ToString());
  }

  rocksdb::DB& db_;
  RecentValues& recent_;  // of all partitions
  const std::string prefix_;
  std::map<std::string, std::optional<std::string>, std::less<>> written_;
};

void PartitionStore::scan(std::string_view prefix, std::string_view after,
                          FunctionRef<bool(std::string_view, std::string_view)> visit) {
  rocksdb::ReadOptions options;
  options.total_order_seek = scanned_prefix(prefix) != prefix.size();
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  CHECK(!end.empty());
  end.back() = static_cast<char>(end.back() + 1);
  const rocksdb::Slice upper(end);
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> stored(db_.NewIterator(options));
  const bool from_after = after > prefix;
  stored->Seek(slice(from_after ? after : prefix));
  if (from_after && stored->Valid() && stored->key() == slice(after)) stored->Next();
  auto written = from_after ? written_.upper_bound(after) : written_.lower_bound(prefix);
  const auto in_range = [&] {
    return written != written_.end() && written->first.starts_with(prefix);
  };
  while (stored->Valid() || in_range()) {
    const int order = !in_range()        ? -1
                      : !stored->Valid() ? 1
                                         : stored->key().compare(slice(written->first));
    if (order < 0) {
      if (!visit(stored->key().ToStringView(), stored->value().ToStringView())) return;
      stored->Next();
      continue;
    }
    if (order == 0) stored->Next();
    const auto& [key, value] = *written++;
    if (value && !visit(key, *value)) return;
  }
  CHECK(stored->status().ok(), "reading the state: {}", stored->status().ToString());
}

}  // namespace

struct StateDatabase::Impl {
  explicit Impl(size_t recent_bytes) : recent(recent_bytes) {}

  RecentValues recent;
  std::unique_ptr<rocksdb::DB> db;
};

StateDatabase::StateDatabase(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateDatabase::~StateDatabase() = default;

Result<std::unique_ptr<StateDatabase>> StateDatabase::open(const std::string& folder,
                                                           Options options) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  rocksdb::Options rocks;
  rocks.create_if_missing = true;
  rocks.write_buffer_size = options.memory_bytes / 3;
  rocks.max_write_buffer_number = 2;
  rocks.max_background_jobs = 2;
  rocks.max_open_files = 256;
  rocks.compression = rocksdb::kLZ4Compression;
  rocks.level_compaction_dynamic_level_bytes = true;
  rocks.prefix_extractor = std::make_shared<ScannedPrefix>();
  rocks.memtable_whole_key_filtering = true;
  rocks.memtable_prefix_bloom_size_ratio = 0.05;
  rocks.keep_log_file_num = 2;
  rocks.max_log_file_size = 1 << 20;
  rocks.stats_dump_period_sec = 0;
  rocks.persist_stats_to_disk = false;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.memory_bytes / 3);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // In pieces, so that a small cache holds the part in use of a large state's filters and indices.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  auto impl = std::make_unique<Impl>(options.memory_bytes / 3);
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(rocks, folder, &db);
  if (!status.ok()) {
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("the state folder {} cannot be opened: {}. It is only a cache: if it is "
                    "damaged, delete it",
                    folder, status.ToString()));
  }
  impl->db.reset(db);
  return std::unique_ptr<StateDatabase>(new StateDatabase(std::move(impl)));
}

std::unique_ptr<Store> StateDatabase::partition(Partition partition) {
  return std::make_unique<PartitionStore>(*impl_->db, impl_->recent, StateKeys(partition).all());
}

Result<void> StateDatabase::flush() {
  const auto status = impl_->db->Flush(rocksdb::FlushOptions());
  if (!status.ok())
    return fail(ErrorCode::kUnavailable, "the state cannot be put on disk: " + status.ToString());
  return {};
}

uint64_t StateDatabase::bytes() const {
  uint64_t files = 0, memory = 0;
  impl_->db->GetIntProperty("rocksdb.total-sst-files-size", &files);
  impl_->db->GetIntProperty("rocksdb.cur-size-all-mem-tables", &memory);
  return files + memory;
}

}  // namespace searchsync::worker
