#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "capture/core/engine.h"
#include "capture/core/seams.h"
#include "capture/core/testing/wire.h"

namespace searchsync::capture::testing {

struct FakeRow {
  int number = 0;
  std::string large;  // stored out of line: an update that leaves it alone does not send it
  friend bool operator==(const FakeRow&, const FakeRow&) = default;
};
using FakeTable = std::map<int, FakeRow>;  // by key

// One table "public.t" (id int4 primary key, number int4, large text), its log and a slot.
//
// Fault model, each as the real server allows it:
// - A commit is in the log, and in the stream, any time before queries see it and its locks go.
// - A transaction may have begun any time before the one that is committed before it.
// - The heap record of an insert may be in the log before that of the delete which makes room for
// it:
//   only the commits are in order.
// - The slot and everything not yet sent through it may be lost; a new one starts at the present,
//   and does not send what transactions that are open then have done so far.
// Stricter than the real one: a mark becomes visible as late as anything else.
class FakePostgres final : public Database {
 public:
  explicit FakePostgres(uint64_t seed) : random_(seed) {}

  // Something a client might do now.
  void client_step();
  // Everything begun ends, everything ended is visible.
  void quiesce();

  // Database.
  Result<std::vector<ValueType>> value_types(std::span<const uint32_t> oids) override;
  Result<std::vector<std::optional<Values>>> rows(const Lookup& lookup) override;

  XidSnapshot snapshot() const;
  ChunkRows read_chunk(const ChunkRequest& request) const;
  void write_mark(const std::string& content);

  // The stream's next message, starting anew after restart_stream(); nullopt: nothing is there.
  std::optional<std::string> next_message();
  void restart_stream(uint64_t from);
  uint64_t stream_end() const { return sent_end_; }

  // The slot is gone: what was not sent is lost. Returns the new one's place.
  uint64_t lose_slot();
  uint64_t written() const { return lsn_; }

  const FakeTable& table() const { return visible_; }

 private:
  struct Transaction {
    uint32_t xid = 0;
    std::vector<std::string> messages;  // once committed, with begin and commit
    FakeTable writes;                   // what it will leave
    std::set<int> deletes;
    bool truncated = false;
    std::set<int> locks;
    bool committed = false;
    uint64_t commit_lsn = 0;
    uint64_t end_lsn = 0;
  };

  std::optional<FakeRow> look(const Transaction& transaction, int key) const;
  bool lock(Transaction& transaction, int key);
  void begin();
  void change(Transaction& transaction);
  void change_row(Transaction& transaction, int key, const FakeRow& row);
  void truncate(Transaction& transaction);
  void commit(Transaction& transaction);
  void abort(size_t index);
  void become_visible(size_t index);
  uint64_t pick(uint64_t count) { return random_() % count; }

  std::mt19937_64 random_;
  uint64_t lsn_ = 1000;
  uint32_t next_xid_ = 100;
  int next_value_ = 1;
  FakeTable visible_;
  std::vector<Transaction> open_;  // begun and not yet visible
  struct Logged {
    uint64_t commit_lsn;
    std::vector<std::string> messages;
  };
  std::vector<Logged> log_;
  size_t slot_start_ = 0;  // in log_: older ones are lost
  size_t next_logged_ = 0;
  size_t next_in_logged_ = 0;
  uint64_t sent_end_ = 0;
};

}  // namespace searchsync::capture::testing
