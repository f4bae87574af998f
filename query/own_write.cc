#include "query/own_write.h"

#include <algorithm>

#include "lib/model/fold_rounds.h"
#include "lib/model/pipeline.h"

namespace searchsync::query {
namespace {

constexpr std::string_view kNoPosition = "capture: it has not said yet how far it is";
constexpr std::string_view kNotCaptured = "capture: it is not that far yet";
constexpr std::string_view kReading = "capture: a table is being read, or cannot be captured";
constexpr std::string_view kOtherTimeline =
    "capture: the database has been restored, or another server has taken over";
constexpr std::string_view kOthers =
    "capture: the index reads topics of others, who do not say how far they are";
constexpr std::string_view kNotRouted = "route: the workers have not read it yet";
constexpr std::string_view kNotFolded = "fold: the workers have not written it yet";
constexpr std::string_view kNotSaid = "fold: the workers have not said who leads";
constexpr std::string_view kNotSent =
    "fold: what follows from it is to be sent by another generation, which has not done so yet";

// Whether everything before `ends` is committed.
bool reached(const std::vector<int64_t>& committed, const std::vector<int64_t>& ends) {
  for (size_t p = 0; p < ends.size(); ++p) {
    if ((p < committed.size() ? committed[p] : 0) < ends[p]) return false;
  }
  return true;
}

}  // namespace

Ways ways_of(const model::PipelineConfig& config) {
  Ways ways;
  ways.rounds = model::fold_rounds(config.bindings);
  std::map<std::string, Ways::Capture> captures;
  for (const auto& binding : config.bindings) {
    const model::Source& source = binding.spec.source;
    if (std::holds_alternative<model::KafkaSource>(source)) ways.others = true;
    const auto* postgres = std::get_if<model::PostgresSource>(&source);
    if (postgres == nullptr) continue;
    Ways::Capture& capture = captures[postgres->secret_ref.name];
    capture.positions =
        positions::positions_topic(config.index.metadata.namespace_, postgres->secret_ref.name);
    const std::string topic = model::source_topic(source);
    if (std::ranges::find(capture.topics, topic) == capture.topics.end()) {
      capture.topics.push_back(topic);
    }
  }
  for (auto& [name, capture] : captures) ways.captures.push_back(std::move(capture));
  return ways;
}

bool asks_for_others(const Look& look) {
  return std::ranges::any_of(look.leads, [](const auto& lead) {
    return lead && (lead->leader != lead->own || !lead->before.empty());
  });
}

bool have_sent(const model::Leadership& lead, size_t partition, int64_t end,
               const std::map<Generation, std::vector<int64_t>>& others) {
  return std::ranges::all_of(lead.before, [&](Generation former) {
    if (former == lead.own) return true;  // it has committed past `end` itself
    const auto found = others.find(former);
    return found == others.end() ||
           found->second.at(partition) >= std::min(end, lead.since.get() + 1);
  });
}

OwnWrite::OwnWrite(const Ways& ways, std::vector<positions::Token> tokens)
    : ways_(ways), tokens_(std::move(tokens)), missing_(kNoPosition) {}

void OwnWrite::advance(const Look& look) {
  if (stage_ == Stage::kCapture) {
    if (!captured(look)) return;
    stage_ = Stage::kRoute;
  }
  if (stage_ == Stage::kRoute) {
    if (!routed(look)) return;
    stage_ = Stage::kFold;
    aim(look);
  }
  while (stage_ == Stage::kFold && folded(look)) {
    // Against the ends that were read last, and read after what is committed: nothing is under way.
    const bool quiet =
        to_fold_.size() == look.document_log.size() &&
        std::ranges::equal(to_fold_, look.document_log, {}, {}, &PartitionProgress::end);
    if (quiet || round_ >= ways_.rounds) {
      stage_ = Stage::kWritten;
      missing_ = {};
    } else {
      aim(look);
    }
  }
}

bool OwnWrite::captured(const Look& look) {
  to_route_.clear();
  return std::ranges::all_of(tokens_, [&](const auto& token) { return captured(look, token); });
}

bool OwnWrite::captured(const Look& look, const positions::Token& token) {
  bool known = false;
  for (size_t i = 0; i < ways_.captures.size(); ++i) {
    if (i >= look.captures.size() || !look.captures[i]) {
      missing_ = kNoPosition;
      return false;
    }
    const positions::CapturePosition& at = *look.captures[i];
    if (at.log.system != token.log.system || at.log.database != token.log.database) continue;
    known = true;
    if (at.log.timeline != token.log.timeline) {
      missing_ = kOtherTimeline;
      return false;
    }
    if (at.through < token.lsn) {
      missing_ = kNotCaptured;
      return false;
    }
    for (const std::string& name : ways_.captures[i].topics) {
      const auto topic = at.topics.find(name);
      if (topic == at.topics.end() || !topic->second.whole) {
        missing_ = kReading;
        return false;
      }
      to_route_[name] = topic->second.ends;
    }
  }
  if (known || !ways_.others) return true;
  missing_ = kOthers;
  return false;
}

bool OwnWrite::routed(const Look& look) {
  missing_ = kNotRouted;
  return std::ranges::all_of(to_route_, [&](const auto& topic) {
    const auto found = look.routed.find(topic.first);
    return reached(found == look.routed.end() ? std::vector<int64_t>() : found->second,
                   topic.second);
  });
}

// Nothing was found in the log: it is not known how many partitions it has.
bool OwnWrite::folded(const Look& look) {
  missing_ = kNotFolded;
  std::vector<int64_t> next;
  for (const PartitionProgress& partition : look.document_log) {
    next.push_back(next_offset(partition));
  }
  if (to_fold_.empty() || !reached(next, to_fold_)) return false;
  for (size_t p = 0; p < to_fold_.size(); ++p) {
    if (!sent(look, p)) return false;
  }
  return true;
}

// Whether everything that follows from what is before to_fold_, which we have folded, is in the
// log. It was for us to send where we led.
bool OwnWrite::sent(const Look& look, size_t partition) {
  if (look.document_log[partition].committed.value_or(0) == 0) return true;  // there was nothing
  missing_ = kNotSaid;
  if (partition >= look.leads.size() || !look.leads[partition]) return false;
  missing_ = kNotSent;
  const model::Leadership& lead = *look.leads[partition];
  if (!have_sent(lead, partition, to_fold_[partition], look.others)) return false;
  if (lead.leader == lead.own) return true;
  const auto leader = look.others.find(lead.leader);
  return leader != look.others.end() && leader->second.at(partition) >= to_fold_[partition];
}

void OwnWrite::aim(const Look& look) {
  to_fold_.clear();
  for (const PartitionProgress& partition : look.document_log) to_fold_.push_back(partition.end);
  ++round_;
}

}  // namespace searchsync::query
