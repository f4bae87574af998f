#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/kafka/client.h"

namespace searchsync::testing {

// librdkafka's own mock of a Kafka cluster, on loopback, in this process.
//
// Fault model: brokers that refuse connections, slow answers, errors in answer to chosen requests.
// What it does not do: the admin API (topics are made here), transactions' isolation, compaction
// and retention, authorization, and it does not check a producer's sequence numbers.
class MockKafka {
 public:
  // Numbers of requests, for fail_next(). Source: Kafka protocol guide, "Api Keys".
  enum class Api : int16_t {
    kProduce = 0,
    kFetch = 1,
    kOffsetCommit = 8,
    kOffsetFetch = 9,
    kInitProducerId = 22
  };

  explicit MockKafka(int brokers = 1);
  ~MockKafka();
  MockKafka(const MockKafka&) = delete;
  MockKafka& operator=(const MockKafka&) = delete;

  kafka::ClientConfig config() const;

  void create_topic(const std::string& name, int partitions);

  // Brokers count from 1.
  void stop_broker(int broker);
  void start_broker(int broker);
  void set_round_trip(int broker, std::chrono::milliseconds delay);
  // Others than that broker refuse what concerns the group from now on.
  void set_coordinator(const std::string& group, int broker);

  // The next requests of that kind are answered with these codes of the protocol, one each.
  void fail_next(Api api, const std::vector<int>& codes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::testing
