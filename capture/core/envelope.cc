#include "capture/core/envelope.h"

#include <array>
#include <charconv>
#include <concepts>

#include "lib/base/check.h"
#include "lib/base/hash.h"

namespace searchsync::capture {
namespace {

using pgoutput::Cell;

void append_number(std::string& out, std::integral auto value) {
  std::array<char, 24> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  CHECK(error == std::errc{});
  out.append(digits.data(), end);
}

void append_cell(std::string& out, const ColumnForm& column, const Cell& cell) {
  out += column.label;
  switch (cell.kind) {
    case Cell::Kind::kText:
      append_json_value(out, column.type, cell.text);
      return;
    case Cell::Kind::kNull:
      out += "null";
      return;
    case Cell::Kind::kUnchanged:
      CHECK(false, "column {} was not completed", column.name);
  }
}

}  // namespace

void RowForm::add_column(std::string_view name, ValueType type) {
  ColumnForm column{.name = std::string(name), .label = {}, .type = type};
  append_json_string(column.label, name);
  column.label += ':';
  columns.push_back(std::move(column));
}

void FormHash::add(std::string_view column, uint32_t type) {
  append_json_string(columns_, column);
  append_number(columns_, type);
}

std::string FormHash::text() const {
  return stable_hash_hex(columns_, 16);
}

SourceBlock::SourceBlock(std::string_view version, std::string_view name, std::string_view database,
                         std::string_view schema, std::string_view table) {
  head_ = "{\"version\":";
  append_json_string(head_, version);
  head_ += ",\"connector\":\"postgresql\",\"name\":";
  append_json_string(head_, name);
  head_ += ",\"ts_ms\":";
  tail_ = ",\"db\":";
  append_json_string(tail_, database);
  tail_ += ",\"schema\":";
  append_json_string(tail_, schema);
  tail_ += ",\"table\":";
  append_json_string(tail_, table);
  tail_ += ",\"txId\":";
}

void SourceBlock::append(std::string& out, const Facts& facts) const {
  out += head_;
  append_number(out, facts.time_us / 1000);
  out += ",\"ts_us\":";
  append_number(out, facts.time_us);
  out += facts.snapshot ? ",\"snapshot\":\"true\"" : ",\"snapshot\":\"false\"";
  out += tail_;
  append_number(out, facts.xid);
  out += ",\"lsn\":";
  append_number(out, facts.position.lsn);
  out += ",\"epoch\":";
  append_number(out, facts.position.epoch);
  out += '}';
}

void append_key(std::string& out, const RowForm& form, pgoutput::Tuple row) {
  out += '{';
  for (size_t i = 0; i < form.key.size(); ++i) {
    if (i > 0) out += ',';
    append_cell(out, form.columns[form.key[i]], row[form.key[i]]);
  }
  out += '}';
}

void append_row(std::string& out, const RowForm& form, pgoutput::Tuple row) {
  out += '{';
  for (size_t i = 0; i < form.columns.size(); ++i) {
    if (i > 0) out += ',';
    append_cell(out, form.columns[i], row[i]);
  }
  out += '}';
}

void append_key_row(std::string& out, const RowForm& form, pgoutput::Tuple row) {
  out += '{';
  for (size_t i = 0; i < form.columns.size(); ++i) {
    if (i > 0) out += ',';
    bool in_key = false;
    for (const size_t k : form.key) in_key = in_key || k == i;
    append_cell(out, form.columns[i], in_key ? row[i] : Cell{});
  }
  out += '}';
}

void append_envelope(std::string& out, const Envelope& envelope, const SourceBlock& source,
                     const SourceBlock::Facts& facts) {
  out += "{\"before\":";
  out += envelope.before.empty() ? "null" : envelope.before;
  out += ",\"after\":";
  out += envelope.after.empty() ? "null" : envelope.after;
  out += ",\"source\":";
  source.append(out, facts);
  out += ",\"op\":\"";
  out += static_cast<char>(envelope.op);
  out += "\",\"ts_ms\":";
  append_number(out, envelope.now_ms);
  out += '}';
}

}  // namespace searchsync::capture
