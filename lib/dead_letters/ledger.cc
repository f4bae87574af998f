#include "lib/dead_letters/ledger.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace searchsync::dead_letters {
namespace {

int64_t length(Offset first, Offset last) {
  return last.get() - first.get() + 1;
}

}  // namespace

void Ledger::count(std::string_view label, int64_t more) {
  total_ += more;
  const auto known = counts_.try_emplace(std::string(label)).first;
  known->second += more;
  if (known->second == 0) counts_.erase(known);
}

int64_t Ledger::count(std::string_view label) const {
  const auto known = counts_.find(label);
  return known == counts_.end() ? 0 : known->second;
}

void Ledger::add(const Place& place, std::string_view label) {
  const auto next = runs_.upper_bound(place);
  if (next != runs_.begin()) {
    auto& [first, rest] = *std::prev(next);
    const bool adjoins =
        first.partition == place.partition && rest.last.get() + 1 == place.offset.get();
    const bool full = runs_.size() >= runs_max_;
    if (adjoins && (rest.label == label || full)) {
      if (rest.label != label) labelled_ = false;
      rest.last = place.offset;
      count(rest.label, 1);
      return;
    }
  }
  runs_.emplace(place, Rest{place.offset, std::string(label)});
  count(label, 1);
}

void Ledger::remove(Partition partition, Offset first, Offset last) {
  auto at = runs_.upper_bound({partition, first});
  if (at != runs_.begin()) {
    const auto before = std::prev(at);
    if (before->first.partition == partition && before->second.last >= first) at = before;
  }
  while (at != runs_.end() && at->first.partition == partition && at->first.offset <= last) {
    const auto [run_first, run_last, label] =
        std::tuple(at->first.offset, at->second.last, std::move(at->second.label));
    at = runs_.erase(at);
    const Offset gone_first = std::max(run_first, first);
    const Offset gone_last = std::min(run_last, last);
    if (run_first < gone_first) {
      runs_.emplace(Place{partition, run_first}, Rest{Offset(gone_first.get() - 1), label});
    }
    if (gone_last < run_last) {
      runs_.emplace(Place{partition, Offset(gone_last.get() + 1)}, Rest{run_last, label});
    }
    count(label, -length(gone_first, gone_last));
    if (gone_last < run_last) return;
  }
}

void Ledger::expire(Partition partition, Offset begin) {
  remove(partition, Offset(0), Offset(begin.get() - 1));
}

bool Ledger::contains(const Place& place) const {
  const auto next = runs_.upper_bound(place);
  if (next == runs_.begin()) return false;
  const auto& [first, rest] = *std::prev(next);
  return first.partition == place.partition && place.offset <= rest.last;
}

std::vector<Ledger::Run> Ledger::runs() const {
  std::vector<Run> all;
  all.reserve(runs_.size());
  for (const auto& [first, rest] : runs_) {
    all.push_back({first.partition, first.offset, rest.last, rest.label});
  }
  return all;
}

}  // namespace searchsync::dead_letters
