#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/kafka/client.h"
#include "lib/kafka/handle.h"
#include "lib/kafka/poll_batch.h"
#include "lib/kafka/topic.h"

namespace searchsync::kafka {

// Where reading of a partition begins.
struct StartOffset {
  enum class Kind { kCommitted, kBeginning, kEnd, kExact };
  Kind kind = Kind::kCommitted;
  Offset offset;  // if kExact

  // Where the group left off; where it never committed, as Options::no_offset says.
  static StartOffset committed() { return {}; }
  static StartOffset beginning() { return {.kind = Kind::kBeginning, .offset = {}}; }
  static StartOffset end() { return {.kind = Kind::kEnd, .offset = {}}; }
  static StartOffset exact(Offset offset) { return {.kind = Kind::kExact, .offset = offset}; }
};

struct PartitionStart {
  TopicPartition partition;
  StartOffset start;
};

// The first offset there is, and the one after the last that a reader of committed records sees.
struct Watermarks {
  Offset low;
  Offset high;
};

// Told about changes of a group's assignment, inside Consumer::poll() and close() only, on the
// thread that calls them. Assignment is cooperative: each call names only what changes, what it
// does not name goes on. Implementations may call commit(), committed() and watermarks().
class GroupListener {
 public:
  virtual ~GroupListener() = default;

  // Partitions that are now ours; nothing of them has been fetched. Returns one start each, in the
  // same order.
  virtual std::vector<StartOffset> on_assigned(std::span<const TopicPartition> partitions) = 0;
  // Partitions that are ours until this returns: the last moment to commit. That may answer kFenced
  // if the group is already further; the next owner then reads again what was not committed.
  virtual void on_revoked(std::span<const TopicPartition> partitions) = 0;
  // Partitions that have gone already (the session expired): somebody else may be reading them,
  // commits for them answer kFenced.
  virtual void on_lost(std::span<const TopicPartition> partitions) = 0;
  // The log of a partition of ours ends before what was read of it: the topic was made anew, or its
  // brokers have lost records. Nothing more is delivered of it until it is assigned again.
  virtual void on_records_lost(const TopicPartition& partition, const Error& error) = 0;
  // A commit with CommitMode::kAsync failed: with kFenced if the group was rebalancing, which is
  // usual. What is still ours is to be committed again.
  virtual void on_commit_failed(const Error& error) = 0;
};

enum class CommitMode {
  kSync,   // waits for the broker's answer
  kAsync,  // failures come through GroupListener::on_commit_failed
};

// Reads topics, either as a member of a group or, without one, the partitions it is told to.
//
// Only committed records are delivered. Records of one partition come in offset order, none twice
// between two assignments of it. Once a partition has been revoked, lost, paused or sought away
// from, nothing fetched before is delivered any more. What is not promised: that offsets are
// consecutive (compaction and transactions leave gaps).
//
// Not thread-safe: one thread owns a Consumer. In a group, poll() must be called at least every
// max_poll_interval, or the group gives the partitions away.
class Consumer {
 public:
  enum class NoOffset {
    kBeginning,  // start at the first record there is
    kEnd,
    kFail,  // poll() fails with kNotFound: for those to whom a gap is a disaster. Also where the
            // log ends before it
  };

  struct Options {
    std::chrono::milliseconds session_timeout{30'000};
    std::chrono::milliseconds max_poll_interval{300'000};
    // What to do where nothing is committed, or where the log begins later than what is to be read.
    NoOffset no_offset = NoOffset::kBeginning;
    // How long a broker may hold a fetch that finds nothing. Data ends the wait at once, so this is
    // no latency for records; but librdkafka has one fetch a broker under way, and a partition that
    // was just assigned, resumed or sought joins only the next one: it waits this long at most.
    // 50 ms cost 20 empty requests a second a broker.
    std::chrono::milliseconds fetch_wait_max{50};
    size_t queue_bytes_max = 16 << 20;  // fetched and not yet polled; one fetch may overshoot it
    size_t fetch_bytes_max = 8 << 20;   // of one response
    size_t partition_fetch_bytes_max = 1 << 20;
  };

  // A member of `group`. The listener must outlive the Consumer. Connects to nothing yet.
  // Errors: kInvalidArgument for a configuration librdkafka refuses.
  static Result<std::unique_ptr<Consumer>> join(const ClientConfig& config, std::string group,
                                                const Options& options, GroupListener& listener);
  // A reader without a group: assign() says what it reads, and it cannot commit.
  static Result<std::unique_ptr<Consumer>> reader(const ClientConfig& config,
                                                  const Options& options);
  // Calls close(). Every PollBatch must be gone.
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Joins the group for these topics, in place of those of an earlier call. A topic may appear
  // later; until then poll() reports kNotFound once, and reads the others.
  Result<void> subscribe(const std::vector<std::string>& topics);

  // Reads exactly these partitions from now on. Only for a reader; kCommitted is kInvalidArgument.
  Result<void> assign(std::span<const PartitionStart> partitions);

  // Waits up to `timeout` for the first event, then returns what is there without waiting, at most
  // `events_max`. Serves rebalances. Empty when nothing came.
  //
  // Errors: kNotFound (topic, or offset with NoOffset::kFail; of a reader also a log that ends
  // before what was read of it), kPermission, kFenced (a static member was replaced). A broker that
  // is away is no error: librdkafka reconnects; see connection_error(). After a retryable error or
  // kNotFound the caller may go on polling.
  Result<PollBatch> poll(std::chrono::milliseconds timeout, size_t events_max);

  // Commits where to go on reading. kSync waits up to `timeout`.
  // Errors: kFenced if a partition is not (or no longer) ours, or the group is rebalancing and this
  // member must poll() first; kTimeout; kUnavailable. Nothing to commit is no error.
  Result<void> commit(std::span<const TopicOffset> offsets, CommitMode mode,
                      std::chrono::milliseconds timeout = std::chrono::seconds(10));

  // Whether the answer to a commit is still to come, for at most a second. Another one now could be
  // overtaken by it: librdkafka sends again what a broker could not take.
  // Source: librdkafka 2.0.2, rd_kafka_handle_OffsetCommit().
  bool committing() const;

  // What the group committed, in the order asked; nullopt: never.
  Result<std::vector<std::optional<Offset>>> committed(std::span<const TopicPartition> partitions,
                                                       std::chrono::milliseconds timeout);

  // Asks the partition's leader.
  Result<Watermarks> watermarks(const TopicPartition& partition, std::chrono::milliseconds timeout);

  // The first offset whose record is not older than `time_ms`, milliseconds since 1970; nothing:
  // all are older.
  Result<std::optional<Offset>> offset_at(const TopicPartition& partition, int64_t time_ms,
                                          std::chrono::milliseconds timeout);

  // For Producer::commit_transaction(). Only of a member.
  GroupMetadata group_metadata() const;

  // The end of a partition that is read, as the newest fetch of it said: it may be further by now.
  // Asks nobody. Nothing before the first fetch.
  std::optional<Offset> fetched_end(const TopicPartition& partition) const;

  // A paused partition stays ours and is not delivered. Its fetched records are thrown away and
  // fetched again after resume(): pause for long, not between two polls. Partitions that are not
  // ours are left out silently; to pause what is paused, or to resume what is not, does nothing. A
  // new assignment starts unpaused.
  Result<void> pause(std::span<const TopicPartition> partitions);
  Result<void> resume(std::span<const TopicPartition> partitions);

  // The next record delivered of that partition is at `to` or after. Errors: kNotFound if the
  // partition is not ours. Not of one that started at beginning() or end() just now: librdkafka may
  // still be asking where that is, and its answer undoes the seek.
  Result<void> seek(const TopicOffset& to, std::chrono::milliseconds timeout);

  // What is ours now, sorted.
  std::vector<TopicPartition> assignment() const;

  // The newest complaint about the connection, until the next event arrives.
  std::optional<Error> connection_error() const;

  // Leaves the group at once, after on_revoked for what is ours, so that others need not wait for
  // the session to expire. Afterwards only the destructor may be called.
  void close();

 private:
  struct Impl;
  explicit Consumer(std::unique_ptr<Impl> impl);
  static Result<std::unique_ptr<Consumer>> create(const ClientConfig& config, std::string group,
                                                  const Options& options, GroupListener* listener);
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::kafka
