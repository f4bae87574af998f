#include "query/csv.h"

#include <simdjson.h>

namespace searchsync::query {
namespace {

namespace ondemand = simdjson::ondemand;

void append_cell(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

std::string_view trimmed(std::string_view token) {
  const size_t end = token.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view() : token.substr(0, end + 1);
}

}  // namespace

// Through one document, once.
class CsvWriter::Walk {
 public:
  explicit Walk(std::vector<Cell>& cells) : cells_(cells) {}

  enum class Within { kOne, kArray };

  // False if it is no JSON object.
  bool document(std::string_view json, const Step& step, Within within) {
    const simdjson::padded_string padded(json);
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object object;
    ondemand::array array;
    if (parser.iterate(padded).get(document)) return false;
    if (!document.get_object().get(object)) return members(object, step, within);
    return !document.get_array().get(array) && elements(array, step);
  }

 private:
  bool members(ondemand::object object, const Step& step, Within within) {
    for (auto field : object) {
      std::string_view name;
      ondemand::value value;
      if (field.unescaped_key().get(name)) return false;
      const auto inner = step.inner.find(name);
      if (field.value().get(value)) return false;
      if (inner != step.inner.end() && !visit(value, inner->second, within)) return false;
    }
    return true;
  }

  bool elements(ondemand::array array, const Step& step) {
    for (auto element : array) {
      ondemand::value value;
      if (element.get(value) || !visit(value, step, Within::kArray)) return false;
    }
    return true;
  }

  bool visit(ondemand::value value, const Step& step, Within within) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    const bool whole = step.column.has_value();
    switch (type) {
      case ondemand::json_type::object: {
        ondemand::object object;
        std::string_view raw;
        if (value.get_object().get(object)) return false;
        if (!whole) return members(object, step, within);
        return !object.raw_json().get(raw) && both(raw, step, within);
      }
      case ondemand::json_type::array: {
        ondemand::array array;
        std::string_view raw;
        if (value.get_array().get(array)) return false;
        if (!whole) return elements(array, step);
        return !array.raw_json().get(raw) && both(raw, step, within);
      }
      case ondemand::json_type::string: {
        std::string_view text;
        if (!whole) return true;
        if (within == Within::kArray) return put(step, trimmed(value.raw_json_token()), within);
        return !value.get_string().get(text) && put(step, text, within);
      }
      case ondemand::json_type::null:
        return !whole || within == Within::kOne || put(step, "null", within);
      case ondemand::json_type::number:
      case ondemand::json_type::boolean:
        return !whole || put(step, trimmed(value.raw_json_token()), within);
    }
    return false;
  }

  // A column that is an object or array, and may have columns within it.
  bool both(std::string_view raw, const Step& step, Within within) {
    put(step, raw, within);
    if (step.inner.empty()) return true;
    const Step inner{.inner = step.inner, .column = std::nullopt};
    return document(raw, inner, within);
  }

  bool put(const Step& step, std::string_view text, Within within) {
    Cell& cell = cells_[*step.column];
    if (within == Within::kArray) {
      cell.text += cell.list ? "," : "[";
      cell.list = true;
    }
    cell.text += text;
    return true;
  }

  std::vector<Cell>& cells_;
};

CsvWriter::CsvWriter(std::vector<std::string> columns) : columns_(std::move(columns)) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    Step* step = &root_;
    std::string_view rest = columns_[i];
    while (true) {
      const size_t dot = rest.find('.');
      step = &step->inner[std::string(rest.substr(0, dot))];
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
    step->column = i;
  }
}

CsvWriter::~CsvWriter() = default;

void CsvWriter::begin(std::string& out) {
  out += "_id";
  for (const std::string& column : columns_) {
    out += ',';
    append_cell(out, column);
  }
  out += "\r\n";
}

bool CsvWriter::row(std::string_view id, std::string_view source, std::string& out) {
  cells_.assign(columns_.size(), {});
  if (!source.empty() && !Walk(cells_).document(source, root_, Walk::Within::kOne)) return false;
  const simdjson::padded_string padded(id);
  ondemand::parser parser;
  ondemand::document document;
  std::string_view text;
  if (parser.iterate(padded).get(document) || document.get_string().get(text)) return false;
  append_cell(out, text);
  for (const Cell& cell : cells_) {
    out += ',';
    append_cell(out, cell.list ? cell.text + "]" : cell.text);
  }
  out += "\r\n";
  return true;
}

}  // namespace searchsync::query
