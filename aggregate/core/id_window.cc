#include "aggregate/core/id_window.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "aggregate/core/mix.h"
#include "aggregate/core/varint.h"
#include "lib/base/check.h"

namespace searchsync::aggregate {
namespace {

constexpr size_t kFirstEntries = 1024;
constexpr uint64_t kSliceMask = 0xff;

}  // namespace

IdWindow::IdWindow(std::chrono::milliseconds window)
    : slice_ms_(window.count() / kSlices), entries_(kFirstEntries) {
  CHECK(slice_ms_ > 0);
}

int64_t IdWindow::slice_of(int64_t arrived_ms) const {
  return arrived_ms / slice_ms_ - (arrived_ms % slice_ms_ < 0 ? 1 : 0);
}

int64_t IdWindow::oldest_ms(int64_t arrived_ms) const {
  return (slice_of(arrived_ms) - kSlices) * slice_ms_;
}

// A slice is told by its last 8 bits: of those that are remembered, no two have the same.
void IdWindow::arrived(int64_t at_ms) {
  if (newest_ms_ && at_ms <= *newest_ms_) return;
  const int64_t slice = slice_of(at_ms);
  const bool moves = newest_ms_ && slice != slice_;
  newest_ms_ = at_ms;
  const int64_t before = std::exchange(slice_, slice);
  if (!moves) return;
  if (slice - before > kSlices) {
    std::ranges::fill(entries_, Entry{});
    size_ = 0;
    added_.clear();
    return;
  }
  rebuild(entries_.size());
  std::erase_if(added_, [this](const Entry& entry) { return age(entry) > kSlices; });
}

int64_t IdWindow::age(const Entry& entry) const {
  return static_cast<int64_t>((static_cast<uint64_t>(slice_) - entry.low) & kSliceMask);
}

// Whether it was there. It is in the slice of now, then.
bool IdWindow::put(Entry entry) {
  const size_t mask = entries_.size() - 1;
  for (size_t at = entry.high >> 1 & mask;; at = (at + 1) & mask) {
    Entry& here = entries_[at];
    if (here.high == 0 && here.low == 0) {
      here = entry;
      ++size_;
      return false;
    }
    if (here.high == entry.high && ((here.low ^ entry.low) & ~kSliceMask) == 0) {
      here.low = entry.low;
      return true;
    }
  }
}

// With what is still remembered.
void IdWindow::rebuild(size_t entries) {
  const auto before = std::exchange(entries_, std::vector<Entry>(entries));
  size_ = 0;
  for (const Entry& entry : before) {
    if (entry.high == 0 && entry.low == 0) continue;
    if (age(entry) <= kSlices) put(entry);
  }
}

bool IdWindow::seen(std::string_view id) {
  CHECK(newest_ms_);
  if ((size_ + 1) * 4 > entries_.size() * 3) rebuild(2 * entries_.size());
  const auto [high, low] = hash128(id);
  // Never all 0.
  const Entry entry{high | 1, (low & ~kSliceMask) | (static_cast<uint64_t>(slice_) & kSliceMask)};
  added_.push_back(entry);
  return put(entry);
}

std::string IdWindow::take_added() {
  std::string out;
  if (!newest_ms_) return out;
  append_signed(out, *newest_ms_);
  out.append(reinterpret_cast<const char*>(added_.data()), added_.size() * sizeof(Entry));
  added_.clear();
  return out;
}

bool IdWindow::load(std::string_view added) {
  if (added.empty()) return true;
  VarintReader reader(added);
  const auto newest = static_cast<int64_t>(reader.signed_wide());
  const size_t bytes = reader.rest().size();
  if (!reader.ok() || bytes % sizeof(Entry) != 0) return false;
  arrived(newest);
  for (size_t at = 0; at < bytes; at += sizeof(Entry)) {
    Entry entry;
    std::memcpy(&entry, reader.rest().data() + at, sizeof entry);
    if (age(entry) > kSlices) continue;
    if ((size_ + 1) * 4 > entries_.size() * 3) rebuild(2 * entries_.size());
    put(entry);
  }
  return true;
}

}  // namespace searchsync::aggregate
