// Whatever a column holds, and whatever type it is said to have: one JSON value on one line.
//
// The first byte is the kind of value, the second an array's delimiter.

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "capture/core/value.h"
#include "lib/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace searchsync::capture;
  if (size < 2) return 0;
  constexpr int kKinds = static_cast<int>(ValueKind::kTimeTz) + 1;
  constexpr char kDelimiters[] = {'\0', ',', ';'};
  const ValueType type{.kind = static_cast<ValueKind>(data[0] % kKinds),
                       .array_delimiter = kDelimiters[data[1] % std::size(kDelimiters)]};
  std::string json;
  append_json_value(json, type, {reinterpret_cast<const char*>(data) + 2, size - 2});
  for (const char c : json) CHECK(static_cast<unsigned char>(c) >= 0x20, "{}", json);
  try {
    static_cast<void>(nlohmann::json::parse(json));
  } catch (const nlohmann::json::out_of_range&) {
    // A number beyond a double's range is JSON all the same.
  } catch (const nlohmann::json::exception& error) {
    CHECK(false, "{}: {}", error.what(), json);
  }
  return 0;
}
