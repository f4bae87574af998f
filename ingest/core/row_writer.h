#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/core/batch.h"
#include "ingest/core/event_ids.h"
#include "ingest/core/schema.h"

namespace searchsync::ingest {

// The values of one event, by column.
struct EventValues {
  // Nothing: the event has none. Of strings the content, of all else JSON.
  std::vector<std::optional<std::string_view>> values;
  std::vector<std::string> kept;  // what values may refer to

  void reset(size_t columns) {
    values.assign(columns, std::nullopt);
    if (kept.size() < columns) kept.resize(columns);
  }
};

// Fills in what is absent, and appends the event as a record to `batch`.
// Returns why it cannot be one, for whoever sent it, with the field it is about ("": all of it);
// then `batch` is as it was.
struct RowProblem {
  std::string_view field;
  std::string reason;
};
std::optional<RowProblem> append_row(const EventSchema& schema, EventValues& values, size_t place,
                                     std::string_view now, EventIds& ids, Batch& batch);

}  // namespace searchsync::ingest
