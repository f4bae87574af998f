#include "worker/core/unavailable.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "worker/core/json_check.h"

namespace searchsync::worker {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view kText = "__debezium_unavailable_value";
constexpr std::string_view kBase64 = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";
constexpr std::string_view kArrayStarts[] = {"b68a35a7-17ad", "[95,95,", "[95.0,95.0,",
                                             "[\"Xw==\",\"Xw==\",", "\"Xw==\"},{"};
constexpr std::string_view kUuid = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";  // made of its MD5

// The array of what `form` makes of each of the text's bytes.
template <class Form>
std::string array_of(Form form) {
  std::string made = "[";
  for (const char byte : kText) {
    if (made.size() > 1) made += ',';
    made += form(byte);
  }
  return made + ']';
}

// One byte in base64.
std::string base64_of(char byte) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto bits = static_cast<unsigned char>(byte);
  return {kAlphabet[bits >> 2], kAlphabet[(bits & 3) << 4], '=', '='};
}

// Its forms, as the JSON converter writes them.
const std::vector<std::string>& placeholders() {
  static const std::vector<std::string> all = {
      fmt::format(R"("{}")", kText),                   // text, numbers, times
      fmt::format(R"("{}")", kBase64),                 // bytea
      fmt::format(R"("{{\"{0}\":\"{0}\"}}")", kText),  // hstore
      fmt::format(R"({{"{0}":"{0}"}})", kText),        // hstore as a map
      fmt::format(R"(["{}"])", kText),                 // text[]
      fmt::format(R"(["{}"])", kBase64),               // bytea[]
      fmt::format(R"(["{}"])", kUuid),                 // uuid[]
      array_of([](char byte) { return fmt::format("{}", int{byte}); }),
      array_of([](char byte) { return fmt::format("{}.0", int{byte}); }),
      array_of([](char byte) { return fmt::format(R"("{}")", base64_of(byte)); }),
      array_of(
          [](char byte) { return fmt::format(R"({{"scale":0,"value":"{}"}})", base64_of(byte)); }),
  };
  return all;
}

// Cheap, and true for few rows that have no placeholder.
bool is_suspect(std::string_view row) {
  const auto holds = [row](std::string_view sought) {
    return memmem(row.data(), row.size(), sought.data(), sought.size()) != nullptr;
  };
  if (holds(kText) || holds(kBase64)) return true;
  if (row.find('[') == std::string_view::npos) return false;
  return std::ranges::any_of(kArrayStarts, holds);
}

// The column, if there is one.
simdjson::error_code find_placeholder(std::string_view row, std::optional<std::string>& column) {
  const simdjson::padded_string text(row);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object object;
  if (auto error = parser.iterate(text).get(document)) return error;
  if (auto error = document.get_object().get(object)) return error;
  for (auto field : object) {
    std::string_view name, content;
    ondemand::value value;
    if (auto error = field.unescaped_key().get(name)) return error;
    if (auto error = field.value().get(value)) return error;
    if (auto error = simdjson::to_json_string(value).get(content)) return error;
    const auto& all = placeholders();
    if (std::ranges::find(all, content) != all.end()) column = name;
  }
  return simdjson::SUCCESS;
}

}  // namespace

Result<void> refuse_unavailable(std::string_view row) {
  if (!is_suspect(row)) return {};
  std::optional<std::string> column;
  if (auto error = find_placeholder(row, column)) {
    return fail(ErrorCode::kMalformed,
                fmt::format("the row: {}: {}", simdjson::error_message(error), excerpt(row)));
  }
  if (!column) return {};
  return fail(ErrorCode::kUnsupported,
              fmt::format("column {}: the change event does not hold its value, since the database "
                          "did not tell it; run ALTER TABLE ... REPLICA IDENTITY FULL, or let "
                          "searchsync capture read the table",
                          excerpt(*column)));
}

}  // namespace searchsync::worker
