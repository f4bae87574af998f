// Of the fold: rows of partitions that are no more are deleted from the log. See
// docs/decisions/0009-time-partitions.md.

#include "worker/core/fold.h"

namespace searchsync::worker {

bool Fold::send_expired(size_t limit, model::Period oldest, std::string& cursor, Effects& effects) {
  duties_ = {.sends = true, .touches = false};
  const auto prefix = keys_.row(pipeline_.root, "");
  bool more = false;
  Held held;
  store_.scan(prefix, cursor.empty() ? "" : prefix + cursor,
              [&](std::string_view key, std::string_view value) {
                more = limit == 0;
                if (more) return false;
                --limit;
                cursor = key.substr(prefix.size());
                parse(value, held);
                const auto place = place_of(held);
                if (!place || place->period >= oldest) return true;
                send(options_.partition,
                     {.kind = MessageKind::kRow,
                      .binding = pipeline_.root,
                      .key = cursor,
                      .position = held.position},
                     effects);
                return true;
              });
  return more;
}

}  // namespace searchsync::worker
