#include "ingest/core/row_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/core/convert.h"
#include "worker/core/message.h"

namespace searchsync::ingest {
namespace {

// Of the text by which the worker finds the row: see worker::append_key_part().
size_t key_bytes(const EventSchema& schema, const EventValues& values) {
  size_t bytes = schema.key.size() - 1;
  for (const size_t column : schema.key) {
    const std::string_view text = *values.values[column];
    bytes += text.size();
    if (schema.key.size() == 1) break;
    bytes += static_cast<size_t>(
        std::ranges::count_if(text, [](char c) { return c == '\x1e' || c == '\x1f'; }));
  }
  return bytes;
}

std::optional<RowProblem> check_key(const EventSchema& schema, const EventValues& values) {
  const size_t bytes = key_bytes(schema, values);
  if (bytes > 0 && bytes <= worker::kKeyBytesMax) return std::nullopt;
  const std::string_view field = schema.columns[schema.key.front()].name;
  if (bytes == 0) return RowProblem{field, "is empty: it tells events apart"};
  return RowProblem{field, fmt::format("has {} bytes{}: expected at most {}", bytes,
                                       schema.key.size() == 1 ? "" : " with the rest of the key",
                                       worker::kKeyBytesMax)};
}

// The bare text of one column, a JSON array of several.
void append_record_key(const EventSchema& schema, const EventValues& values, std::string& out) {
  if (schema.partition_key.size() == 1) {
    out += *values.values[schema.partition_key.front()];
    return;
  }
  char open = '[';
  for (const size_t column : schema.partition_key) {
    out += open;
    worker::append_json_string(*values.values[column], out);
    open = ',';
  }
  out += ']';
}

bool is_quoted(model::ColumnType type) {
  return type == model::ColumnType::kString || type == model::ColumnType::kTimestamp;
}

void append_value(const EventSchema& schema, const EventValues& values, Batch& batch,
                  Batch::Record& record) {
  std::string& out = batch.bytes;
  char open = '{';
  for (size_t i = 0; i < schema.columns.size(); ++i) {
    const Column& column = schema.columns[i];
    out += open;
    open = ',';
    out += column.label;
    const size_t begin = out.size();
    const auto& value = values.values[i];
    if (!value) {
      out += "null";
    } else if (is_quoted(column.type)) {
      worker::append_json_string(*value, out);
    } else {
      out += *value;
    }
    if (schema.event_id != i) continue;
    record.id_begin = begin;
    record.id_size = out.size() - begin;
  }
  out += '}';
}

}  // namespace

std::optional<RowProblem> append_row(const EventSchema& schema, EventValues& values, size_t place,
                                     std::string_view now, EventIds& ids, Batch& batch) {
  if (schema.event_id && !values.values[*schema.event_id]) {
    std::string& id = values.kept[*schema.event_id];
    id.clear();
    ids.append_next(id);
    values.values[*schema.event_id] = id;
  }
  if (schema.timestamp && !values.values[*schema.timestamp]) {
    values.values[*schema.timestamp] = now;
  }
  if (auto problem = check_key(schema, values)) return problem;
  Batch::Record record{.begin = batch.bytes.size(), .place = place};
  append_record_key(schema, values, batch.bytes);
  record.key_size = batch.bytes.size() - record.begin;
  const size_t value_begin = batch.bytes.size();
  append_value(schema, values, batch, record);
  record.value_size = batch.bytes.size() - value_begin;
  if (record.value_size > static_cast<size_t>(schema.limits.event_bytes_max)) {
    batch.bytes.resize(record.begin);
    return RowProblem{"", fmt::format("has {} bytes as it would be kept: expected at most {}",
                                      record.value_size, schema.limits.event_bytes_max)};
  }
  batch.records.push_back(record);
  return std::nullopt;
}

}  // namespace searchsync::ingest
