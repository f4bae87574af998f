#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/leadership.h"
#include "lib/model/role_config.h"
#include "lib/positions/position.h"
#include "query/freshness.h"

namespace searchsync::query {

// Whether what a command wrote is in the index: how it is found out, without reading Kafka. See
// docs/decisions/0008-reading-your-own-writes.md.

// The ways on which rows come into an index.
struct Ways {
  struct Capture {
    std::string positions;            // the topic of its positions
    std::vector<std::string> topics;  // of tables, those that the index reads
    friend bool operator==(const Capture&, const Capture&) = default;
  };
  std::vector<Capture> captures;  // in order of name
  bool others = false;            // topics that others write: nobody says how far they are
  int rounds = 1;                 // of model::fold_rounds
  friend bool operator==(const Ways&, const Ways&) = default;
};
Ways ways_of(const model::PipelineConfig& config);

// What is known at one time. It is read in the order of the members, each after the one before it.
struct Look {
  std::vector<std::optional<positions::CapturePosition>> captures;  // the newest, as Ways has them
  // What is committed of the tables' topics by those who route, by topic and partition; 0: nothing.
  std::map<std::string, std::vector<int64_t>> routed;
  // `committed` by those who fold, and only then `begin` and `end`.
  std::vector<PartitionProgress> document_log;
  // What they committed with it, by partition; nothing: they did not say.
  std::vector<std::optional<model::Leadership>> leads;
  // By partition, what is committed by those who fold other generations of the log, read between
  // `committed` and `end`. Needed only where another than ours leads, or led before it.
  std::map<Generation, std::vector<int64_t>> others;
};
// Whether `others` are needed.
bool asks_for_others(const Look& look);
// Whether those who led a partition before have sent on what follows from the records before `end`.
// A generation that is gone has: it is not removed before.
bool have_sent(const model::Leadership& lead, size_t partition, int64_t end,
               const std::map<Generation, std::vector<int64_t>>& others);

// Follows some tokens until what they stand for is written. Not thread-safe. Every look may be
// given to it, also one that began earlier: what it says stays true.
class OwnWrite {
 public:
  // `ways` must outlive this.
  OwnWrite(const Ways& ways, std::vector<positions::Token> tokens);

  void advance(const Look& look);
  bool written() const { return stage_ == Stage::kWritten; }
  // What it waits for, for people; empty: nothing.
  std::string_view missing() const { return missing_; }

 private:
  enum class Stage { kCapture, kRoute, kFold, kWritten };

  bool captured(const Look& look);
  bool captured(const Look& look, const positions::Token& token);
  bool routed(const Look& look);
  bool folded(const Look& look);
  bool sent(const Look& look, size_t partition);
  void aim(const Look& look);

  const Ways& ways_;
  const std::vector<positions::Token> tokens_;
  Stage stage_ = Stage::kCapture;
  std::string_view missing_;
  std::map<std::string, std::vector<int64_t>> to_route_;
  std::vector<int64_t> to_fold_;
  int round_ = 0;
};

}  // namespace searchsync::query
