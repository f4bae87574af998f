#pragma once

// One partition of the document log, from its messages to the documents written: what to send, what
// to write, what is still under way, and how far the log may be committed.
//
// Pure: no clock, no socket, no thread. The caller performs the work it is given, in any order
// except that sends keep theirs, tells when each piece is done, and commits no further than
// committable(). After a crash the work that was not done is given out again; doing it twice is
// harmless.

#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/leadership.h"
#include "worker/core/build.h"
#include "worker/core/fold.h"
#include "worker/core/progress.h"
#include "worker/core/store.h"

namespace searchsync::worker {

// A record of the document log, as Kafka gave it; the views are valid during the call.
struct LogRecord {
  Offset offset;
  std::string_view key;
  std::optional<std::string_view> value;
  std::optional<std::string_view> meta;
  int64_t timestamp_ms = 0;  // when the log took it, milliseconds since 1970
};

// A document to be written, or deleted if there is none.
struct Write {
  std::string root;
  int64_t version = 0;
  std::optional<std::string> document;
  uint64_t changed_at_us = 0;  // of the oldest change in it, microseconds since 1970; 0: unknown
  // Of a partitioned index: where that is; nothing: nowhere. And where else the document is to be
  // deleted, with the same version. It is written when all of it is.
  std::optional<Place> place;
  std::vector<Place> left;
  // Why it cannot be in any partition: for the dead letters. Empty: there is no such reason.
  std::string refused;
};

// A record that could not be applied, for the dead letters.
struct Refused {
  Offset offset;
  std::string reason;
  std::string key;
  std::optional<std::string> value;
};

// What one step causes. Each send, touch and refusal is one piece: acknowledge(batch) when it is
// done. A touched document is to be written, at any time later: PartitionWorker::write().
struct Work {
  uint64_t batch = 0;
  std::vector<Send> sends;
  std::vector<TouchedRoots::Touch> touched;
  std::vector<Refused> refused;
  bool can_wait = false;  // a change of few documents should not wait for these: there are many
  size_t pieces() const { return sends.size() + touched.size() + refused.size(); }
};

class PartitionWorker {
 public:
  struct Options {
    Partition partition;
    int32_t partitions = 1;
    Generation generation{1};
    size_t inline_edges_max = 32;  // see Fold::Options
    // Of a partitioned index: the rows of which no generation of the log has a partition any more
    // are deleted from the log. Nothing: they stay. Not where documents show other roots.
    std::optional<std::chrono::seconds> log_retention;
  };

  // `pipeline` and `store` outlive the worker.
  PartitionWorker(const model::Pipeline& pipeline, Options options, Store& store);

  // Where the log stands when the partition is assigned.
  struct LogState {
    std::string_view identity;  // of the topic and the slots: state of others is thrown away
    Offset committed;           // the group's; 0 if it never committed
    Offset end;                 // the next offset to be written
    int64_t now_ms = 0;
    // State and unfinished work from before are not used: compaction may have taken what they need.
    // Between 0, never, and now_ms; see docs/decisions/0002-compaction-and-late-messages.md.
    int64_t oldest_usable_ms = 0;
  };

  // Takes up the state that the store holds. Call once, first. Returns the offset to read from.
  //
  // A new generation folds the log up to its Begin record, and at least up to where the log ends
  // now, without writing. Then it writes every document once: by fan_out(). See
  // docs/decisions/0003-documents-are-written-once-complete.md.
  Offset start(const LogState& log);
  // The work that was under way when the state was saved.
  std::vector<Work> resume();

  // Applies records, in order of offset, up to applied(); commits the store. Not all of them are
  // applied if that halts the worker, or after a Lead record: see yielded_ms() and led_at().
  Work apply(std::span<const LogRecord> records);
  // At `at_ms` there was no record before `position` that apply() has not been given: says how
  // fresh the state is where nothing happens, and passes what compaction has taken from the end.
  void reached(Offset position, int64_t at_ms);
  // Touches some more documents of a change that concerns many. Nothing if there is none.
  std::optional<Work> fan_out(size_t limit);
  // Goes through some more roots for rows that the log need not keep; nothing if there is nothing
  // to do: it is not time yet, or another generation leads.
  std::optional<Work> clean_up(size_t limit, int64_t now_ms);
  // A touched document as it is now: one write does for all batches that touched it before. Nothing
  // if it waits for a row that is not known yet, which will touch it again, or if there is nothing
  // to do: then it is done, too.
  // now_ms, since 1970, decides which partitions are written to.
  std::optional<Write> write(std::string_view root, uint64_t changed_at_us, int64_t now_ms);

  void acknowledge(uint64_t batch, size_t pieces = 1);

  // Everything before it is done: sent, written, or in the dead letters.
  Offset committable() const;
  Offset applied() const { return at_.applied; }  // the next offset to apply
  // How many writes there were of documents older than the partitions that are kept.
  uint64_t expired() const { return expired_; }
  size_t batches_under_way() const { return batches_.size(); }
  bool fanning_out() const { return !fan_outs_.empty() || at_.first_pass == FirstPass::kWriting; }
  Generation leader() const { return at_.leader; }
  // As of applied().
  const model::Leadership& leadership() const { return leadership_; }
  // When, in milliseconds since 1970, the newest record was sent that gave the lead to another
  // generation; 0: there was none since documents are written. Whoever waits before applying more
  // shows readers nothing newer than that record meanwhile, so that they can be led to the other
  // generation as soon as that one has committed past it, and see nothing older there.
  int64_t yielded_ms() const { return at_.yielded_ms; }
  // The newest record since the start that gave the lead to this generation. It can be served when
  // it has committed past that: whoever applies nothing more while it is taking_over(), and writes
  // what waits, does that soon.
  std::optional<Offset> led_at() const { return led_at_; }
  bool taking_over() const { return leads() && led_at_ && committable() <= *led_at_; }
  // Why nothing more may be applied, if so: a record that is still to be done is older than what
  // can be used, or the log ends before what was applied of it. What was given out may be finished
  // and committed. Only a new document log mends it.
  const std::optional<Error>& halted() const { return halted_; }

 private:
  struct Batch {
    uint64_t number = 0;
    Offset since;  // the oldest offset whose effects are in it
    Offset last;
    size_t pieces = 0;
  };

  enum class Next { kGoOn, kStop };

  bool leads() const { return at_.leader == options_.generation; }
  std::optional<Write> place(Write made, Built built, std::string document, int64_t now_ms);
  std::vector<Place> places_left(std::string_view root);
  std::optional<Progress> saved_progress() const;
  static bool may_go_on_from(const Progress& saved, const LogState& log);
  void load_leadership();
  void forget_what_others_finished();
  bool is_usable(const LogRecord& record);
  Next apply(const LogRecord& record, Effects& effects, Work& work);
  Work touch_more_roots(size_t limit);
  void open_batch(Offset since, Work& work);
  void begin(Offset offset);
  void advance_first_pass();
  void save_progress();
  void close_batches();

  const Options options_;
  Store& store_;
  const StateKeys keys_;
  Fold fold_;
  Builder builder_;
  const std::optional<model::PartitionPlan> partitioning_;
  std::optional<std::chrono::seconds> log_retention_;

  std::string log_;
  Offset restored_until_;
  int64_t oldest_usable_ms_ = 0;
  Progress at_;
  model::Leadership leadership_;
  std::optional<Offset> led_at_;
  int64_t saved_newest_ms_ = 0;
  std::optional<Error> halted_;
  uint64_t expired_ = 0;
  // What is older has been deleted from the log, or is being, up to the cursor.
  model::Period cleaned_{std::numeric_limits<int32_t>::min()};
  std::optional<model::Period> cleaning_;
  std::string clean_cursor_;
  std::deque<Batch> batches_;     // oldest first
  std::vector<FanOut> fan_outs_;  // as in the store
};

}  // namespace searchsync::worker
