#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "lib/kafka/admin.h"
#include "lib/kafka/client.h"
#include "lib/kafka/consumer.h"
#include "lib/kafka/group_list.h"
#include "lib/model/role_config.h"
#include "query/own_write.h"

namespace searchsync::query {

// Reads of Kafka what a Look is made of. Connects at the first. Not thread-safe.
class KafkaLook {
 public:
  KafkaLook(const model::PipelineConfig& config, kafka::ClientConfig kafka);
  ~KafkaLook();

  // Errors: those of Kafka.
  Result<Look> take();
  // Nobody will look for a while: nothing more is fetched.
  void rest();

 private:
  Result<void> connect();
  Result<void> find_positions();
  Result<void> read_positions();
  Result<std::vector<kafka::TopicOffset>> folded(const std::string& group);
  Result<void> look_at_routed(Look& look);
  Result<void> look_at_folded(Look& look);
  Result<void> look_at_others(Look& look);
  Result<void> look_at_ends(Look& look);

  const Ways ways_;
  const std::string document_log_;
  const std::string route_group_;
  const std::string fold_group_;
  const std::string fold_groups_;  // what those of all generations begin with
  const kafka::ClientConfig kafka_;

  std::unique_ptr<kafka::Admin> admin_;
  std::unique_ptr<kafka::GroupList> groups_;
  std::unique_ptr<kafka::Consumer> reader_;
  size_t found_ = 0;  // topics of positions that are read
  std::chrono::steady_clock::time_point find_due_{};
  std::map<std::string, positions::CapturePosition> newest_;  // by topic of positions
  size_t partitions_ = 0;                                     // of the document log
  // By partition, of the last record that changed who leads and behind which nobody who led before
  // has anything to send any more; -1: not known of any.
  std::vector<Offset> settled_;
};

}  // namespace searchsync::query
