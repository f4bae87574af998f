#include "query/values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "query/date_math.h"
#include "query/filter.h"

namespace searchsync::query {
namespace {

struct Bounds {
  std::string_view type;
  int64_t least;
  int64_t most;
};

template <class T>
constexpr Bounds bounds_of(std::string_view type) {
  return {type, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

constexpr std::array kBounds{bounds_of<int8_t>("byte"), bounds_of<int16_t>("short"),
                             bounds_of<int32_t>("integer"), bounds_of<int64_t>("long")};

bool is_number(const model::Node& value) {
  return std::holds_alternative<int64_t>(value.value) ||
         std::holds_alternative<model::Node::Decimal>(value.value);
}

bool fits_integer(const Field& field, const model::Node& value) {
  const auto* integer = std::get_if<int64_t>(&value.value);
  if (field.type == "unsigned_long") {
    if (integer != nullptr) return *integer >= 0;
    const auto* decimal = std::get_if<model::Node::Decimal>(&value.value);
    if (decimal == nullptr) return false;
    uint64_t parsed = 0;
    const char* const end = decimal->text.data() + decimal->text.size();
    const auto result = std::from_chars(decimal->text.data(), end, parsed);
    return result.ec == std::errc() && result.ptr == end;
  }
  if (integer == nullptr) return false;
  const auto* bounds = std::ranges::find(kBounds, field.type, &Bounds::type);
  return bounds != kBounds.end() && *integer >= bounds->least && *integer <= bounds->most;
}

// An address, or a network: "10.0.0.0/8".
bool is_address(const std::string& text) {
  const size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  std::array<unsigned char, 16> bytes{};
  int bits = 32;
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) != 1) {
    bits = 128;
    if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return false;
  }
  if (slash == std::string::npos) return true;
  int prefix = -1;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data() + slash + 1, end, prefix);
  return result.ec == std::errc() && result.ptr == end && prefix >= 0 && prefix <= bits;
}

bool fits_date(const Field& field, const model::Node& value) {
  if (const std::string* text = value.string()) {
    // A format of the mappings' own is the engine's to judge, but for its length.
    constexpr size_t kFormattedMax = 64;
    return field.date_format.empty() ? is_time(*text)
                                     : !text->empty() && text->size() <= kFormattedMax;
  }
  return std::holds_alternative<int64_t>(value.value);
}

std::string wanted(const Field& field, Comparison comparison) {
  switch (field.kind) {
    case FieldKind::kKeyword:
      return "a string";
    case FieldKind::kInteger:
      return comparison == Comparison::kOrder ? "a number"
                                              : fmt::format("an integer of type {}", field.type);
    case FieldKind::kFloating:
      return "a number";
    case FieldKind::kBoolean:
      return "true or false";
    case FieldKind::kDate:
      return field.date_format.empty()
                 ? "a time like \"2024-01-15T10:30:00Z\", \"2024-01-15\" or \"now-30d\", or "
                   "milliseconds since 1970"
                 : fmt::format("a time in the format {}", field.date_format);
    case FieldKind::kIp:
      return "an IP address or a network like \"10.0.0.0/8\"";
    case FieldKind::kText:
    case FieldKind::kObject:
    case FieldKind::kNested:
    case FieldKind::kOther:
      return "no value";
  }
  return "no value";
}

}  // namespace

std::optional<std::string> value_fault(const Field& field, const model::Node& value,
                                       Comparison comparison) {
  const std::string* text = value.string();
  bool fits = false;
  switch (field.kind) {
    case FieldKind::kKeyword:
      fits = text != nullptr && text->size() <= kValueBytesMax;
      break;
    case FieldKind::kInteger:
      fits = comparison == Comparison::kOrder ? is_number(value) : fits_integer(field, value);
      break;
    case FieldKind::kFloating:
      fits = is_number(value);
      break;
    case FieldKind::kBoolean:
      fits = std::holds_alternative<bool>(value.value);
      break;
    case FieldKind::kDate:
      fits = fits_date(field, value);
      break;
    case FieldKind::kIp:
      fits = text != nullptr && is_address(*text);
      break;
    case FieldKind::kText:
    case FieldKind::kObject:
    case FieldKind::kNested:
    case FieldKind::kOther:
      break;
  }
  if (fits) return std::nullopt;
  if (value.is_null()) {
    return fmt::format("{}; for fields that are not there use {{\"not\":{{\"exists\":…}}}}",
                       wanted(field, comparison));
  }
  if (text != nullptr && text->size() > kValueBytesMax) {
    return fmt::format("at most {} bytes", kValueBytesMax);
  }
  return fmt::format("{}, because field `{}` is of type {}", wanted(field, comparison), field.path,
                     field.type);
}

}  // namespace searchsync::query
