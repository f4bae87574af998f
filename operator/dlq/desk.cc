#include "operator/dlq/desk.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "lib/kafka/connect.h"
#include "lib/model/pipeline.h"

namespace searchsync::dlq {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTimeout{10'000};
constexpr milliseconds kReachableTimeout{5'000};
constexpr milliseconds kReadMax{10 * 60'000};
constexpr milliseconds kSilence{15'000};

std::optional<std::string> binding_of(const dead_letters::Letter& letter) {
  return std::string(letter.binding);
}

}  // namespace

Desk::Desk(model::SearchIndex index, std::vector<model::SourceBinding> bindings,
           kafka::ClientConfig config, std::unique_ptr<kafka::Admin> admin)
    : index_(std::move(index)),
      bindings_(std::move(bindings)),
      config_(std::move(config)),
      admin_(std::move(admin)),
      topic_(model::dead_letter_topic(index_)),
      tally_(topic_, binding_of) {}

Result<std::unique_ptr<Desk>> Desk::open(model::SearchIndex index,
                                         std::vector<model::SourceBinding> bindings,
                                         const model::SecretStore& secrets) {
  ASSIGN_OR_RETURN(auto config, kafka::client_config(index.spec.kafka, secrets, "searchsync-dlq"));
  ASSIGN_OR_RETURN(auto admin, kafka::Admin::create(config, {.timeout = kTimeout}));
  RETURN_IF_ERROR(admin->check_reachable(kReachableTimeout));
  std::unique_ptr<Desk> desk(
      new Desk(std::move(index), std::move(bindings), std::move(config), std::move(admin)));
  RETURN_IF_ERROR(desk->read_topic());
  return desk;
}

Result<void> Desk::read_topic() {
  const auto offsets = admin_->list_offsets(topic_);
  if (!offsets && offsets.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kNotFound,
                fmt::format("index {}: there is no topic {} yet: nothing has been run from these "
                            "resources",
                            index_.metadata.name, topic_));
  }
  if (!offsets) return std::unexpected(offsets.error());
  ASSIGN_OR_RETURN(const bool whole, tally_.catch_up(config_, *offsets, kReadMax));
  if (whole) return {};
  return fail(ErrorCode::kTimeout,
              fmt::format("topic {} could not be read in {} s", topic_, kReadMax.count() / 1000));
}

Result<void> Desk::check_binding(const std::string& binding) const {
  const auto& ledger = tally_.ledger();
  const bool known =
      binding.empty() || ledger.count(binding) > 0 ||
      std::ranges::any_of(bindings_, [&](const auto& b) { return b.metadata.name == binding; });
  if (!known) {
    std::vector<std::string> names;
    for (const auto& one : bindings_) names.push_back(one.metadata.name);
    return fail(ErrorCode::kNotFound,
                fmt::format("index {} has no binding {}, but {}", index_.metadata.name, binding,
                            fmt::join(names, ", ")));
  }
  if (ledger.labelled()) return {};
  return fail(ErrorCode::kLimit,
              "there are too many dead letters to tell them apart by binding: choose positions, "
              "or all");
}

Result<std::vector<Desk::Run>> Desk::select(const Selection& selection) const {
  if (selection.binding) RETURN_IF_ERROR(check_binding(*selection.binding));
  std::vector<Run> runs;
  if (selection.places.empty()) {
    runs = tally_.ledger().runs();
    if (selection.binding) {
      std::erase_if(runs, [&](const Run& run) { return run.label != *selection.binding; });
    }
    return runs;
  }
  auto places = selection.places;
  std::ranges::sort(places);
  const auto twice = std::ranges::unique(places);
  places.erase(twice.begin(), twice.end());
  for (const auto& place : places) {
    if (!tally_.ledger().contains(place)) {
      return fail(
          ErrorCode::kNotFound,
          fmt::format("there is no dead letter {}: it was dealt with, has expired, or never "
                      "was; `list` shows what is there",
                      to_string(place)));
    }
    runs.push_back({place.partition, place.offset, place.offset, ""});
  }
  return runs;
}

Result<void> Desk::read(const std::vector<Run>& runs,
                        FunctionRef<kafka::Reading(KeptLetter letter)> visit) {
  std::map<Partition, kafka::OffsetRange> ranges;
  for (const auto& run : runs) {
    const Offset end(run.last.get() + 1);
    auto& range =
        ranges
            .try_emplace(run.partition, kafka::OffsetRange{{topic_, run.partition}, run.first, end})
            .first->second;
    range.end = std::max(range.end, end);
  }
  std::vector<kafka::OffsetRange> all;
  for (const auto& [partition, range] : ranges) all.push_back(range);
  const auto wanted = [&](const dead_letters::Place& place) {
    const auto next = std::ranges::upper_bound(runs, place, {}, [](const Run& run) {
      return dead_letters::Place{run.partition, run.first};
    });
    if (next == runs.begin()) return false;
    const auto& run = *std::prev(next);
    return run.partition == place.partition && place.offset <= run.last;
  };
  return kafka::read_ranges(config_, all, kSilence, [&](const kafka::Message& message) {
    if (!wanted({message.partition, message.offset})) return kafka::Reading::kGoesOn;
    return visit(keep(message));
  });
}

Result<Listing> Desk::list(const std::optional<std::string>& binding, size_t limit) {
  ASSIGN_OR_RETURN(auto runs, select({.places = {}, .binding = binding}));
  const auto& ledger = tally_.ledger();
  Listing listing{.total = ledger.total(), .by_binding = ledger.counts(), .letters = {}};
  if (binding) {
    listing.total = ledger.count(*binding);
    listing.by_binding = {{*binding, listing.total}};
  }
  std::vector<Run> newest;
  auto room = static_cast<int64_t>(limit);
  for (auto run = runs.rbegin(); run != runs.rend() && room > 0; ++run) {
    run->first = std::max(run->first, Offset(run->last.get() - room + 1));
    room -= run->last.get() - run->first.get() + 1;
    newest.insert(newest.begin(), *run);
  }
  RETURN_IF_ERROR(read(newest, [&](KeptLetter letter) {
    letter.value.reset();
    listing.letters.push_back(std::move(letter));
    return kafka::Reading::kGoesOn;
  }));
  std::ranges::sort(listing.letters, std::greater(), &KeptLetter::place);
  return listing;
}

Result<KeptLetter> Desk::show(const dead_letters::Place& place) {
  ASSIGN_OR_RETURN(const auto runs, select({.places = {place}, .binding = {}}));
  std::optional<KeptLetter> found;
  RETURN_IF_ERROR(read(runs, [&](KeptLetter letter) {
    found = std::move(letter);
    return kafka::Reading::kIsEnough;
  }));
  if (found) return std::move(*found);
  return fail(ErrorCode::kNotFound, fmt::format("{} has expired just now", to_string(place)));
}

Result<Replayed> Desk::replay(const Selection& selection) {
  ASSIGN_OR_RETURN(const auto runs, select(selection));
  Replayed replayed;
  for (const auto& run : runs) replayed.left += run.last.get() - run.first.get() + 1;
  std::vector<KeptLetter> letters;
  size_t bytes = 0;
  RETURN_IF_ERROR(read(runs, [&](KeptLetter letter) {
    if (letter.stage != dead_letters::kDecode) letter.value.reset();
    bytes += letter.value.value_or("").size() + letter.key.value_or("").size();
    letters.push_back(std::move(letter));
    const bool enough = letters.size() >= kReplayMax || bytes >= kReplayBytesMax;
    return enough ? kafka::Reading::kIsEnough : kafka::Reading::kGoesOn;
  }));
  replayed.left -= static_cast<int64_t>(letters.size());
  std::ranges::sort(letters, {}, &KeptLetter::place);
  ASSIGN_OR_RETURN(replayed.outcomes, Replay(config_, *admin_, index_, bindings_).run(letters));
  std::vector<Run> done;
  for (const auto& [place, kind, why] : replayed.outcomes) {
    if (kind != Outcome::Kind::kKept) {
      done.push_back({place.partition, place.offset, place.offset, ""});
    }
  }
  RETURN_IF_ERROR(mark(done, "replayed"));
  return replayed;
}

Result<int64_t> Desk::drop(const Selection& selection) {
  ASSIGN_OR_RETURN(const auto runs, select(selection));
  RETURN_IF_ERROR(mark(runs, "dropped"));
  int64_t count = 0;
  for (const auto& run : runs) count += run.last.get() - run.first.get() + 1;
  return count;
}

Result<void> Desk::mark(const std::vector<Run>& runs, std::string_view how) {
  std::vector<Run> joined;
  for (const auto& run : runs) {
    const bool adjoins = !joined.empty() && joined.back().partition == run.partition &&
                         joined.back().last.get() + 1 == run.first.get();
    if (adjoins) {
      joined.back().last = run.last;
    } else {
      joined.push_back(run);
    }
  }
  std::vector<Outgoing> marks;
  for (const auto& run : joined) {
    std::vector<std::string> numbers;
    Outgoing out{
        .topic = topic_, .partition = run.partition, .key = {}, .value = {}, .headers = {}};
    const dead_letters::Mark done{run.first, run.last, how};
    for (const auto& [name, value] : headers_of(done, numbers)) {
      out.headers.emplace_back(name, value);
    }
    marks.push_back(std::move(out));
  }
  return append(config_, marks);
}

}  // namespace searchsync::dlq
