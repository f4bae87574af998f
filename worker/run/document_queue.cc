#include "worker/run/document_queue.h"

#include <algorithm>
#include <utility>

#include "worker/core/bytes.h"
#include "worker/core/fold.h"

namespace searchsync::worker {

std::string DocumentQueue::name(const QueuedDocument& document) {
  std::string name;
  append_integer(name, document.assignment);
  return name += document.root;
}

void DocumentQueue::add(QueuedDocument document, Clock::time_point due) {
  const auto [place, added] = places_.try_emplace(name(document));
  if (!added) {
    auto node = by_due(place->second->second.urgency).extract(place->second);
    QueuedDocument& waiting = node.mapped();
    const bool pushed_back = document.attempts > 0 || waiting.attempts > 0;
    due = pushed_back ? std::max(due, node.key()) : std::min(due, node.key());
    document.batches.insert(document.batches.end(), waiting.batches.begin(), waiting.batches.end());
    document.attempts = std::max(document.attempts, waiting.attempts);
    document.changed_at_us = older(document.changed_at_us, waiting.changed_at_us);
    document.urgency = std::min(document.urgency, waiting.urgency);
  }
  place->second = by_due(document.urgency).emplace(due, std::move(document));
}

std::optional<QueuedDocument> DocumentQueue::take(Urgency urgency, Clock::time_point now,
                                                  bool early) {
  auto& waiting = by_due(urgency);
  const auto first = waiting.begin();
  if (first == waiting.end()) return std::nullopt;
  if (first->first > now && (!early || first->second.attempts > 0)) return std::nullopt;
  places_.erase(name(first->second));
  auto node = waiting.extract(first);
  return std::move(node.mapped());
}

Clock::time_point DocumentQueue::next_due(Urgency urgency) const {
  const auto& waiting = by_due(urgency);
  return waiting.empty() ? Clock::time_point::max() : waiting.begin()->first;
}

}  // namespace searchsync::worker
