#pragma once

// Documents that are to be written: each once, however many batches touch it while it waits. Those
// of a change that concerns many come after those of changes that concern few.

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace searchsync::worker {

using Clock = std::chrono::steady_clock;

enum class Urgency : uint8_t { kDirect, kFanOut };

struct QueuedDocument {
  uint64_t assignment = 0;        // of the partition to this worker
  std::vector<uint64_t> batches;  // of which it is a piece; one may be there more than once
  std::string root;
  uint64_t changed_at_us = 0;  // of the oldest change; 0 if unknown
  int attempts = 0;            // that were pushed back
  Urgency urgency = Urgency::kDirect;
  std::string refused;  // Write::refused, while it is being written
};

// Not thread-safe.
class DocumentQueue {
 public:
  // Adds a document, or adds to the one that waits: that one keeps its time, but never comes before
  // one that was pushed back is due. The more urgent counts.
  void add(QueuedDocument document, Clock::time_point due);
  // Takes the document of that urgency that is due first, if it is. `early`: even if it is not, but
  // for one that was pushed back.
  std::optional<QueuedDocument> take(Urgency urgency, Clock::time_point now, bool early);

  // When the first one is due; the end of time if there is none.
  Clock::time_point next_due(Urgency urgency) const;
  bool empty() const { return places_.empty(); }
  size_t size() const { return places_.size(); }

 private:
  using ByDue = std::multimap<Clock::time_point, QueuedDocument>;

  static std::string name(const QueuedDocument& document);
  ByDue& by_due(Urgency urgency) { return by_due_[static_cast<size_t>(urgency)]; }
  const ByDue& by_due(Urgency urgency) const { return by_due_[static_cast<size_t>(urgency)]; }

  std::array<ByDue, 2> by_due_;                              // by urgency
  std::unordered_map<std::string, ByDue::iterator> places_;  // by assignment and root
};

}  // namespace searchsync::worker
