#include "operator/dlq/replay.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "lib/base/check.h"
#include "lib/kafka/read_ranges.h"
#include "worker/core/fold.h"
#include "worker/core/message.h"

namespace searchsync::dlq {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = Outcome::Kind;

constexpr std::chrono::seconds kSilence{15};
// From when a source was read to its end. The log must not get what is a day old
// (docs/decisions/0002-compaction-and-late-messages.md): this is for who suspends the process.
constexpr std::chrono::minutes kFreshFor{30};

std::string write_again(std::string why) {
  if (why.ends_with('.')) why.pop_back();
  return why + ". Write the row again at its source, then drop this";
}

}  // namespace

const model::SourceBinding* Replay::binding(const KeptLetter& letter) const {
  const auto found = std::ranges::find(bindings_, letter.binding,
                                       [](const auto& one) { return one.metadata.name; });
  return found == bindings_.end() ? nullptr : &*found;
}

std::optional<std::string> Replay::refuse(const KeptLetter& letter) const {
  if (letter.stage == dead_letters::kIndex) {
    return letter.key ? std::nullopt : std::optional<std::string>("it does not say which document");
  }
  if (letter.stage == dead_letters::kFold) {
    return "its row is in the document log; another generation folds it again: correct the fields "
           "or mappings, which builds one, or the row in its source, and drop this";
  }
  if (letter.stage == dead_letters::kAggregate) {
    return "it could not be counted, and cannot now: send the event again as it should be, and "
           "drop this; another definition of the aggregate counts all events anew";
  }
  if (letter.stage != dead_letters::kDecode) return "it was not written by SearchSync";
  const auto* its = binding(letter);
  if (its == nullptr) {
    return fmt::format("there is no binding {} any more; drop it", letter.binding);
  }
  const auto topic = model::row_topic(*its);
  if (topic == letter.topic) return std::nullopt;
  return fmt::format("binding {} reads topic {} now; drop it", letter.binding, topic);
}

Result<int32_t> Replay::log_partitions() {
  ASSIGN_OR_RETURN(const auto count, admin_.partition_count(log_));
  if (!count) {
    return fail(ErrorCode::kNotFound,
                fmt::format("the document log {} does not exist: nothing is built yet from what is "
                            "declared; what is built anew reads its sources anew, too",
                            log_));
  }
  const int32_t declared = index_.spec.workers.partitions;
  if (*count == declared) return *count;
  return fail(ErrorCode::kConflict, fmt::format("the document log {} has {} partitions, but "
                                                "workers.partitions is {}",
                                                log_, *count, declared));
}

Result<std::vector<Outcome>> Replay::run(const std::vector<KeptLetter>& letters) {
  ASSIGN_OR_RETURN(pipeline_, model::compile(index_, bindings_));
  log_ = model::document_log_name(index_, bindings_);
  ASSIGN_OR_RETURN(partitions_, log_partitions());
  outcomes_.clear();
  outgoing_.clear();
  std::set<std::string, std::less<>> touched;
  for (const auto& letter : letters) {
    const auto why_not = refuse(letter);
    outcomes_.push_back({.place = letter.place, .kind = Kind::kKept, .why = why_not.value_or("")});
    if (why_not || letter.stage != dead_letters::kIndex) continue;
    outcomes_.back().kind = Kind::kReplayed;
    if (!touched.insert(*letter.key).second) continue;
    send(worker::MessageKind::kTouch, pipeline_.root, {.key = *letter.key});
  }
  RETURN_IF_ERROR(check_sources(letters));
  RETURN_IF_ERROR(append(config_, outgoing_));
  return std::move(outcomes_);
}

Result<void> Replay::check_sources(const std::vector<KeptLetter>& letters) {
  std::map<kafka::TopicPartition, std::vector<size_t>> by_source;
  for (size_t i = 0; i < letters.size(); ++i) {
    if (letters[i].stage != dead_letters::kDecode || !outcomes_[i].why.empty()) continue;
    by_source[{letters[i].topic, letters[i].partition}].push_back(i);
  }
  const auto began = Clock::now();
  for (const auto& [source, its] : by_source) {
    std::vector<SourceCheck::Subject> subjects;
    for (const size_t i : its) subjects.push_back({&letters[i], binding(letters[i])});
    Checked checked{SourceCheck(subjects), Offset(0), Offset(0)};
    RETURN_IF_ERROR(check_partition(source, checked));
    const auto verdicts = checked.check.verdicts(checked.begin, checked.end);
    for (size_t i = 0; i < its.size(); ++i) {
      take(letters[its[i]], verdicts[i], outcomes_[its[i]]);
    }
  }
  if (Clock::now() - began > kFreshFor) {
    return fail(ErrorCode::kTimeout,
                "reading the sources took so long that something newer may have come: nothing was "
                "replayed; try again, with fewer at a time");
  }
  return {};
}

Result<void> Replay::check_partition(const kafka::TopicPartition& partition, Checked& checked) {
  const auto offsets = admin_.list_offsets(partition.topic);
  const bool gone = !offsets && offsets.error().code == ErrorCode::kNotFound;
  if (!gone && !offsets) return std::unexpected(offsets.error());
  const auto at = static_cast<size_t>(partition.partition.get());
  if (gone || at >= offsets->size()) {
    // There is no place where what came after them could be found.
    checked.begin = Offset(INT64_MAX);
    return {};
  }
  const auto& [number, begin, end] = (*offsets)[at];
  checked.begin = begin;
  checked.end = end;
  const kafka::OffsetRange range{partition, std::max(begin, checked.check.first()), end};
  return kafka::read_ranges(config_, {&range, 1}, kSilence, [&](const kafka::Message& message) {
    checked.check.read(message.offset, message.key, message.value, message.timestamp_ms);
    return kafka::Reading::kGoesOn;
  });
}

void Replay::take(const KeptLetter& letter, const SourceCheck::Verdict& verdict, Outcome& outcome) {
  outcome.why = verdict.why;
  switch (verdict.kind) {
    case SourceCheck::Kind::kNewest: {
      outcome.kind = Kind::kReplayed;
      const auto its = std::ranges::find(pipeline_.bindings, letter.binding,
                                         [](const auto& plan) { return plan.name; });
      CHECK(its != pipeline_.bindings.end());
      send(worker::MessageKind::kRow,
           static_cast<model::BindingId>(its - pipeline_.bindings.begin()), verdict.row);
      return;
    }
    case SourceCheck::Kind::kSilent:
      outcome.kind = Kind::kReplayed;
      return;
    case SourceCheck::Kind::kOlder:
      outcome.kind = Kind::kOlder;
      return;
    case SourceCheck::Kind::kRefused:
      outcome.why = write_again("it still cannot be read: " + verdict.why);
      return;
    case SourceCheck::Kind::kUnknown:
      outcome.why = write_again(verdict.why);
      return;
  }
}

void Replay::send(worker::MessageKind kind, model::BindingId binding, const SourceCheck::Row& row) {
  const auto encoded = worker::encode({.kind = kind,
                                       .binding = binding,
                                       .key = row.key,
                                       .position = row.position,
                                       .changed_at_us = row.changed_at_us,
                                       .row = row.row});
  Outgoing out{.topic = log_,
               .partition = worker::partition_of(binding, row.key, partitions_),
               .key = encoded.key,
               .value = encoded.value,
               .headers = {}};
  if (!encoded.value) out.headers.emplace_back(worker::kMetaHeader, encoded.meta);
  outgoing_.push_back(std::move(out));
}

}  // namespace searchsync::dlq
