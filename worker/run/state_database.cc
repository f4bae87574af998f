#include "worker/run/state_database.h"

#include <rocksdb/db.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/write_batch.h>

#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "lib/base/check.h"
#include "worker/core/keys.h"
#include "worker/run/state_folder.h"

namespace searchsync::worker {
namespace {

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
    const auto status = db_.Get(rocksdb::ReadOptions(), key, &value);
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
    rocksdb::WriteBatch batch;
    CHECK(batch.DeleteRange(prefix_, end_of(prefix_)).ok());
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
  const std::string end = end_of(prefix);
  const rocksdb::Slice upper(end);
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> stored(db_.NewIterator(options));
  const bool from_after = after > prefix;
  stored->Seek(from_after ? after : prefix);
  if (from_after && stored->Valid() && stored->key() == after) stored->Next();
  auto written = from_after ? written_.upper_bound(after) : written_.lower_bound(prefix);
  const auto in_range = [&] {
    return written != written_.end() && written->first.starts_with(prefix);
  };
  while (stored->Valid() || in_range()) {
    const int order = !in_range()        ? -1
                      : !stored->Valid() ? 1
                                         : stored->key().compare(written->first);
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
  StateFolder folder;
  RecentValues recent;
};

StateDatabase::StateDatabase(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateDatabase::~StateDatabase() = default;

Result<std::unique_ptr<StateDatabase>> StateDatabase::open(const std::string& folder,
                                                           Options options) {
  ASSIGN_OR_RETURN(auto opened, StateFolder::open(folder, options.memory_bytes,
                                                  std::make_shared<ScannedPrefix>()));
  auto impl = std::make_unique<Impl>(std::move(opened), RecentValues(options.memory_bytes / 3));
  return std::unique_ptr<StateDatabase>(new StateDatabase(std::move(impl)));
}

std::unique_ptr<Store> StateDatabase::partition(Partition partition) {
  return std::make_unique<PartitionStore>(impl_->folder.db(), impl_->recent,
                                          StateKeys(partition).all());
}

Result<void> StateDatabase::flush() {
  return impl_->folder.flush();
}

uint64_t StateDatabase::bytes() const {
  return impl_->folder.bytes();
}

}  // namespace searchsync::worker
