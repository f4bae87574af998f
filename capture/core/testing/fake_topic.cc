#include "capture/core/testing/fake_topic.h"

#include <nlohmann/json.hpp>

#include <utility>

#include "capture/core/live_keys.h"
#include "lib/base/hash.h"

namespace searchsync::capture::testing {

EnvelopeFacts facts_of(const std::string& value) {
  const auto json = nlohmann::json::parse(value);
  EnvelopeFacts facts;
  facts.position.epoch = json.at("source").at("epoch").get<uint64_t>();
  facts.position.lsn = json.at("source").at("lsn").get<uint64_t>();
  facts.deleted = json.at("op").get<std::string>() == "d";
  if (!facts.deleted) {
    facts.number = json.at("after").at("number").get<int>();
    facts.large = json.at("after").at("large").get<std::string>();
  }
  return facts;
}

Result<void> FakeTopic::append(size_t, std::string_view key, std::optional<std::string_view> value,
                               uint64_t token) {
  const size_t partition = stable_hash(key) % kPartitions;
  FakeRecord record{std::string(key), {}};
  if (value) record.value = std::string(*value);
  in_flight_[partition].push_back({std::move(record), token});
  return {};
}

void FakeTopic::arrive(size_t partition) {
  InFlight& first = in_flight_[partition].front();
  unacknowledged_.push_back(first.token);
  partitions_[partition].push_back(std::move(first.record));
  in_flight_[partition].pop_front();
}

void FakeTopic::step(const std::function<void(uint64_t)>& acknowledge) {
  const size_t partition = random_() % kPartitions;
  if (!in_flight_[partition].empty()) arrive(partition);
  if (!unacknowledged_.empty() && random_() % 2 == 0) {
    std::swap(unacknowledged_[random_() % unacknowledged_.size()], unacknowledged_.back());
    const uint64_t token = unacknowledged_.back();
    unacknowledged_.pop_back();
    acknowledge(token);
  }
}

void FakeTopic::settle(const std::function<void(uint64_t)>& acknowledge) {
  for (size_t i = 0; i < kPartitions; ++i) {
    while (!in_flight_[i].empty()) arrive(i);
  }
  for (const uint64_t token : std::exchange(unacknowledged_, {})) acknowledge(token);
}

void FakeTopic::crash() {
  for (auto& queue : in_flight_) queue.clear();
  unacknowledged_.clear();
}

Result<void> FakeTopic::each_live_key(size_t, Position below,
                                      FunctionRef<Result<void>(std::string_view key)> visit) {
  for (size_t i = 0; i < kPartitions; ++i) {
    while (!in_flight_[i].empty()) arrive(i);
  }
  for (const auto& partition : partitions_) {
    const size_t end = partition.size();  // what `visit` appends is not read
    LiveKeys keys(300);
    do {
      for (size_t i = 0; i < end; ++i) {
        TopicRecord record{.kind = TopicRecord::Kind::kTombstone, .position = {}};
        if (partition[i].value) {
          const EnvelopeFacts facts = facts_of(*partition[i].value);
          using Kind = TopicRecord::Kind;
          record = {.kind = facts.deleted ? Kind::kDelete : Kind::kRow, .position = facts.position};
        }
        keys.add(partition[i].key, record);
      }
      if (auto visited = keys.each(below, visit); !visited) return visited;
    } while (keys.next_slice());
  }
  return {};
}

}  // namespace searchsync::capture::testing
