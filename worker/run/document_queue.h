#pragma once

// Documents that are to be written: each once, however many batches touch it while it waits.

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

struct QueuedDocument {
  uint64_t assignment = 0;        // of the partition to this worker
  std::vector<uint64_t> batches;  // of which it is a piece; one may be there more than once
  std::string root;
  uint64_t changed_at_us = 0;  // of the oldest change; 0 if unknown
  int attempts = 0;            // that were pushed back
};

// Not thread-safe.
class DocumentQueue {
 public:
  // Adds a document, or adds to the one that waits: that one keeps its time, but never comes before
  // one that was pushed back is due.
  void add(QueuedDocument document, Clock::time_point due);
  // Takes the document that is due first, if it is. `early`: even if it is not, but for one that
  // was pushed back.
  std::optional<QueuedDocument> take(Clock::time_point now, bool early);

  // When the first one is due. Only if not empty.
  Clock::time_point next_due() const { return by_due_.begin()->first; }
  bool empty() const { return by_due_.empty(); }
  size_t size() const { return by_due_.size(); }

 private:
  using ByDue = std::multimap<Clock::time_point, QueuedDocument>;

  static std::string name(const QueuedDocument& document);

  ByDue by_due_;
  std::unordered_map<std::string, ByDue::iterator> places_;  // by assignment and root
};

}  // namespace searchsync::worker
