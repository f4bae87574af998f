#pragma once

// The form of one binding's events, compiled from its resource.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/role_config.h"

namespace searchsync::ingest {

struct Column {
  std::string name;
  std::string label;  // the name as a JSON key, with its colon
  model::ColumnType type = model::ColumnType::kString;
  bool required = false;  // and not filled in
  std::optional<size_t> bytes_max;
  std::vector<std::string> values;  // empty: any
  std::optional<int64_t> minimum;
  std::optional<int64_t> maximum;
};

// Constant after construction. Places are those in `columns`.
struct EventSchema {
  explicit EventSchema(const model::IngestedBinding& binding);

  // hint: where to look first; it is moved behind what was found.
  std::optional<size_t> find(std::string_view name, size_t& hint) const;
  // ", did you mean `x`?", or what is known.
  std::string hint_for(std::string_view name) const;

  std::string binding;
  std::string topic;
  std::vector<Column> columns;
  std::optional<size_t> event_id;
  std::optional<size_t> timestamp;
  std::vector<size_t> key;            // of the row
  std::vector<size_t> partition_key;  // of the record
  model::EventLimits limits;
};

}  // namespace searchsync::ingest
