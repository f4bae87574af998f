#include "worker/core/tuple.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>

#include "lib/base/check.h"
#include "worker/core/convert.h"
#include "worker/core/json_check.h"
#include "worker/core/message.h"

namespace searchsync::worker {
namespace {

void append_varint(std::string& out, size_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

size_t read_varint(std::string_view& in) {
  size_t value = 0;
  for (int shift = 0; !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<size_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// The four hex digits at `at`; 0 if they are not four hex digits.
uint32_t read_hex4(std::string_view text, size_t at) {
  uint32_t code = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const char c = i < text.size() ? text[i] : 'x';
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return 0;
    code = code << 4 | static_cast<uint32_t>(digit);
  }
  return code;
}

// Appends the string whose escaped content is `text`.
void append_unescaped(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        uint32_t code = read_hex4(text, i + 1);
        i += 4;
        if (code >= 0xd800 && code < 0xdc00 &&
            text.substr(std::min(i + 1, text.size()), 2) == "\\u") {
          code = 0x10000 + ((code - 0xd800) << 10) + (read_hex4(text, i + 3) - 0xdc00);
          i += 6;
        }
        append_utf8(out, code);
        break;
      }
      default:
        out += text[i];
    }
  }
}

}  // namespace

void TupleView::parse(std::string_view encoded) {
  slots_.clear();
  while (!encoded.empty()) {
    const size_t said = read_varint(encoded);
    const size_t size = std::min(said, encoded.size());
    slots_.push_back(encoded.substr(0, size));
    encoded.remove_prefix(size);
  }
}

bool append_scalar_text(std::string_view fragment, std::string& out) {
  if (fragment.empty() || fragment == "null") return false;
  if (fragment.front() == '{' || fragment.front() == '[') return false;
  if (fragment.front() != '"') {
    out += fragment;
    return true;
  }
  const auto content = fragment.substr(1, fragment.size() - 2);
  if (content.find('\\') == std::string_view::npos) {
    out += content;
  } else {
    append_unescaped(content, out);
  }
  return true;
}

// The separator and the escape are escaped where there is something to separate.
bool append_key_part(std::string_view fragment, size_t index, size_t columns, std::string& out) {
  constexpr char kSeparator = '\x1f', kEscape = '\x1e';
  if (index > 0) out += kSeparator;
  const size_t start = out.size();
  if (!append_scalar_text(fragment, out)) return false;
  if (columns == 1) return true;
  for (size_t at = start; at < out.size(); ++at) {
    if (out[at] == kSeparator || out[at] == kEscape) out.insert(at++, 1, kEscape);
  }
  return true;
}

bool key_text(const TupleView& tuple, const std::vector<model::Slot>& slots, std::string& out) {
  out.clear();
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!append_key_part(tuple.slot(slots[i]), i, slots.size(), out)) return false;
  }
  return out.size() <= kKeyBytesMax;
}

struct Projector::Impl {
  struct Column {
    std::string name;
    std::vector<model::Slot> slots;
  };

  std::string binding;
  std::vector<model::SlotSource> sources;
  std::vector<Column> columns;
  simdjson::ondemand::parser parser;
  std::string padded;
  std::vector<std::string_view> fragments;  // by slot
  std::string converted;

  // The columns of a table come in the same order each time: the one after the last is tried first.
  const Column* find(std::string_view name, size_t& hint) const {
    for (size_t tried = 0; tried < columns.size(); ++tried) {
      const auto& column = columns[(hint + tried) % columns.size()];
      if (column.name == name) {
        hint = (hint + tried + 1) % columns.size();
        return &column;
      }
    }
    return nullptr;
  }

  simdjson::error_code read(std::string_view row);
};

simdjson::error_code Projector::Impl::read(std::string_view row) {
  padded.assign(row);
  padded.reserve(row.size() + simdjson::SIMDJSON_PADDING);
  simdjson::ondemand::document document;
  if (auto error = parser.iterate(padded).get(document)) return error;
  simdjson::ondemand::object object;
  if (auto error = document.get_object().get(object)) return error;
  fragments.assign(sources.size(), {});
  size_t hint = 0;
  for (auto field : object) {
    std::string_view name;
    if (auto error = field.unescaped_key().get(name)) return error;
    const Column* column = find(name, hint);
    if (column == nullptr) continue;
    simdjson::ondemand::value value;
    if (auto error = field.value().get(value)) return error;
    simdjson::ondemand::json_type type;
    if (auto error = value.type().get(type)) return error;
    std::string_view fragment;
    if (type == simdjson::ondemand::json_type::object) {
      simdjson::ondemand::object nested;
      if (auto error = value.get_object().get(nested)) return error;
      if (auto error = nested.raw_json().get(fragment)) return error;
    } else if (type == simdjson::ondemand::json_type::array) {
      simdjson::ondemand::array nested;
      if (auto error = value.get_array().get(nested)) return error;
      if (auto error = nested.raw_json().get(fragment)) return error;
    } else {
      fragment = value.raw_json_token();
    }
    for (const auto slot : column->slots) fragments[slot] = trimmed(fragment);
  }
  return at_end(document) ? simdjson::SUCCESS : simdjson::TRAILING_CONTENT;
}

Projector::Projector(const model::BindingPlan& plan) : impl_(std::make_unique<Impl>()) {
  impl_->binding = plan.name;
  impl_->sources = plan.slots;
  for (model::Slot slot = 0; slot < plan.slots.size(); ++slot) {
    const auto& name = plan.slots[slot].column;
    auto found = std::ranges::find(impl_->columns, name, &Impl::Column::name);
    if (found == impl_->columns.end()) {
      impl_->columns.push_back({name, {}});
      found = std::prev(impl_->columns.end());
    }
    found->slots.push_back(slot);
  }
}

Projector::~Projector() = default;
Projector::Projector(Projector&&) noexcept = default;

Result<void> Projector::project(std::string_view row, std::string& out) {
  out.clear();
  if (const auto error = impl_->read(row)) {
    return fail(ErrorCode::kMalformed, fmt::format("binding {}: the row is not a JSON object: {}",
                                                   impl_->binding, simdjson::error_message(error)));
  }
  Result<void> done;
  for (size_t slot = 0; slot < impl_->sources.size(); ++slot) {
    const auto& source = impl_->sources[slot];
    std::string_view fragment = impl_->fragments[slot];
    if (source.type != model::FieldType::kAuto && !fragment.empty()) {
      impl_->converted.clear();
      if (auto converted = convert(fragment, source.type, impl_->converted); !converted) {
        const auto place = fmt::format("binding {}: column {}", impl_->binding, source.column);
        if (done) done = fail(converted.error(), place);
        impl_->converted.clear();
      }
      fragment = impl_->converted;
    }
    append_varint(out, fragment.size());
    out += fragment;
  }
  return done;
}

}  // namespace searchsync::worker
