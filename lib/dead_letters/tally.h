#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "lib/base/error.h"
#include "lib/dead_letters/ledger.h"
#include "lib/dead_letters/letter.h"
#include "lib/kafka/admin.h"
#include "lib/kafka/client.h"

namespace searchsync::dead_letters {

// The ledger of a dead-letter topic, kept up with it: each record is read once. Not thread-safe.
class Tally {
 public:
  // Which letters are counted, and under what.
  using LabelOf = std::function<std::optional<std::string>(const Letter&)>;

  Tally(std::string topic, LabelOf label_of)
      : topic_(std::move(topic)), label_of_(std::move(label_of)) {}

  // Reads on to where the topic ended when `offsets` were asked for, as Admin::list_offsets() gave
  // them; for about as long as `most`, and the rest at the next call. Returns whether there is no
  // rest. Connects only if there is something to read. Errors: those of read_ranges().
  Result<bool> catch_up(const kafka::ClientConfig& config,
                        std::span<const kafka::PartitionOffsets> offsets,
                        std::chrono::milliseconds most);

  const Ledger& ledger() const { return ledger_; }

 private:
  void take(const kafka::Message& message);

  const std::string topic_;
  const LabelOf label_of_;
  Ledger ledger_;
  std::map<Partition, Offset> next_;  // to be read
};

}  // namespace searchsync::dead_letters
