#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/kafka/client.h"
#include "lib/kafka/topic.h"

namespace searchsync::kafka {

struct NewTopic {
  std::string name;
  int32_t partitions = 1;
  int32_t replication_factor = -1;            // -1: the broker's default
  std::map<std::string, std::string> config;  // "cleanup.policy": "compact", …
};

struct TopicDescription {
  std::string name;
  int32_t partitions = 0;
  std::map<std::string, std::string> config;  // all settings in force, defaults included
};

// Topics, each with its number of partitions.
using TopicSizes = std::map<std::string, int32_t>;

// Where a partition begins and ends: `end` is the offset the next record will get.
struct PartitionOffsets {
  Partition partition;
  Offset begin;
  Offset end;
};

// Questions and changes to a cluster that are not part of the data path. Each call blocks up to the
// timeout. Thread-safe: calls from several threads run side by side.
class Admin {
 public:
  struct Options {
    std::chrono::milliseconds timeout{15'000};
  };

  // Connects to nothing yet. Errors: kInvalidArgument.
  static Result<std::unique_ptr<Admin>> create(const ClientConfig& config, const Options& options);
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // Errors: kUnavailable naming the brokers if none answers within `timeout`, kPermission.
  Result<void> check_reachable(std::chrono::milliseconds timeout);

  // All, without Kafka's own ("__…"). A cluster of many topics answers with megabytes.
  Result<TopicSizes> list_topics();
  // nullopt: there is no such topic.
  Result<std::optional<int32_t>> partition_count(const std::string& topic);
  // Errors: kNotFound naming the first topic that does not exist.
  Result<std::vector<TopicDescription>> describe_topics(std::span<const std::string> topics);
  // Returns when the topic can be described. Errors: kConflict if it exists, whatever its form.
  Result<void> create_topic(const NewTopic& topic);
  // Errors: kNotFound.
  Result<void> delete_topic(const std::string& topic);

  enum class Ends {
    kCommitted,  // where a reader of committed records sees no more
    kAll,        // behind what is in transactions that are not ended, too
  };
  // Begin and end of each partition, in order of partition. Errors: kNotFound.
  Result<std::vector<PartitionOffsets>> list_offsets(const std::string& topic,
                                                     Ends ends = Ends::kCommitted);
  // The same of several at once, by topic. Errors: kNotFound if one of them, or a partition, does
  // not exist.
  Result<std::map<std::string, std::vector<PartitionOffsets>>> list_offsets(
      const TopicSizes& topics, Ends ends = Ends::kCommitted);
  // What the group committed of these partitions, with its notes, sorted; without those it never
  // committed. It does not wait for transactions that are under way.
  Result<std::vector<TopicOffset>> group_offsets(const std::string& group,
                                                 std::span<const TopicPartition> partitions);
  // Errors: kNotFound, kConflict if it still has members.
  Result<void> delete_group(const std::string& group);

 private:
  struct Impl;
  explicit Admin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::kafka
