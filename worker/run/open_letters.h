#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>

#include "lib/base/error.h"
#include "lib/dead_letters/letter.h"
#include "lib/dead_letters/tally.h"
#include "lib/kafka/client.h"

namespace searchsync::worker {

// Which records are in the dead-letter topic, from one stage on the way into this document log (or
// table), and how many of each binding are not dealt with. What was given up on for another does
// not count: a changed binding begins again.
class OpenLetters {
 public:
  OpenLetters(kafka::ClientConfig config, std::string topic, std::string_view stage,
              std::string log);
  OpenLetters(const OpenLetters&) = delete;
  OpenLetters& operator=(const OpenLetters&) = delete;

  // Reads what has come since the last time, for about as long as `most`. Returns whether that was
  // all; if not, there are more than count() says. Without the topic there are none. Connected
  // during the call only: it is seldom that there is a reason to look. Errors: Kafka's.
  Result<bool> look(std::chrono::milliseconds most);

  int64_t count(std::string_view binding) const { return tally_.ledger().count(binding); }

  // Whether there is one of that binding about that record, dealt with or not. A worker that died
  // before it had committed reads the record again; what people have dropped must not come back.
  // Of the last kKnownMax that were read: older ones are committed long since.
  bool knows(const dead_letters::Letter& letter) const;

 private:
  static constexpr size_t kKnownMax = 100'000;

  std::optional<std::string> take(const dead_letters::Letter& letter);

  const kafka::ClientConfig config_;
  const std::string topic_;
  const std::string stage_;
  const std::string log_;
  std::unordered_set<uint64_t> known_;  // hashes of what a letter is about
  std::deque<uint64_t> by_age_;         // the same, oldest first
  dead_letters::Tally tally_;
};

}  // namespace searchsync::worker
