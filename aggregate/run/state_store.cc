#include "aggregate/run/state_store.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <system_error>
#include <utility>
#include <vector>

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "worker/run/state_folder.h"

namespace searchsync::aggregate {
namespace {

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
    const auto status = db_.Get(rocksdb::ReadOptions(), key, &value);
    if (status.IsNotFound()) return false;
    expect(status, "reading");
    return true;
  }
  void put(std::string_view key, std::string_view value) override {
    expect(batch_.Put(key, value), "writing");
  }
  void erase(std::string_view key) override { expect(batch_.Delete(key), "writing"); }

  void scan(std::string_view prefix, std::string_view after,
            FunctionRef<bool(std::string_view, std::string_view)> visit) override {
    rocksdb::ReadOptions options;
    const std::string end = worker::end_of(prefix);
    const rocksdb::Slice upper(end);
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> at(db_.NewIterator(options));
    const bool from_after = after > prefix;
    at->Seek(from_after ? after : prefix);
    if (from_after && at->Valid() && at->key() == after) at->Next();
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
    expect(batch_.DeleteRange(prefix_, worker::end_of(prefix_)), "writing");
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
  worker::StateFolder folder;
};

StateStore::StateStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateStore::~StateStore() = default;

Result<std::unique_ptr<StateStore>> StateStore::open(const std::string& folder,
                                                     size_t memory_bytes) {
  ASSIGN_OR_RETURN(auto opened, worker::StateFolder::open(folder, memory_bytes));
  return std::unique_ptr<StateStore>(new StateStore(std::make_unique<Impl>(std::move(opened))));
}

std::unique_ptr<worker::Store> StateStore::store(std::string prefix) {
  return std::make_unique<PrefixStore>(impl_->folder.db(), std::move(prefix));
}

Result<void> StateStore::flush() {
  return impl_->folder.flush();
}

uint64_t StateStore::bytes() const {
  return impl_->folder.bytes();
}

void remove_others(const std::filesystem::path& folder, const std::set<std::string>& tables) {
  std::error_code error;
  std::vector<std::filesystem::path> others;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto name = entry->path().filename().string();
    // A volume may have more in it than states, which are called as their topics are.
    if (name.starts_with("searchsync.") && !tables.contains(name)) {
      others.push_back(entry->path());
    }
  }
  for (const auto& other : others) {
    std::filesystem::remove_all(other, error);
    if (error) {
      log::warning("{} cannot be removed: {}", other.string(), error.message());
    } else {
      log::info("{} is removed: its table is counted no more", other.string());
    }
  }
}

}  // namespace searchsync::aggregate
