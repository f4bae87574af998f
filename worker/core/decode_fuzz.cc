// Whatever a topic holds: a row that can be kept, or an error; and the same again.
//
// The first byte says how the binding reads, the rest of the line is the record's key, and what
// follows the line is its value.

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/check.h"
#include "worker/core/decode.h"

namespace {

using namespace searchsync;
using model::RecordFormat;
using worker::Decoder;

model::SourceBinding binding(model::Source source, std::vector<std::string> key) {
  model::SourceBinding made;
  made.metadata.name = "fuzz";
  made.spec.source = std::move(source);
  made.spec.key = std::move(key);
  return made;
}

const model::SourceBinding kBindings[] = {
    binding(model::PostgresSource{}, {"id"}),
    binding(model::KafkaSource{.topic = "t", .format = RecordFormat::kDebezium}, {"id"}),
    binding(model::KafkaSource{.topic = "t", .format = RecordFormat::kJson}, {"id"}),
    binding(model::KafkaSource{.topic = "t", .format = RecordFormat::kJson}, {"id", "part"}),
};

void check_row(std::string_view row) {
  for (const char c : row) CHECK(static_cast<unsigned char>(c) >= 0x20, "{}", row);
  CHECK(row.starts_with('{') && row.ends_with('}'), "{}", row);
  try {
    static_cast<void>(nlohmann::json::parse(row));
  } catch (const nlohmann::json::out_of_range&) {
    // A number beyond a double's range is JSON all the same.
  } catch (const nlohmann::json::exception& error) {
    CHECK(false, "{}: {}", error.what(), row);
  }
}

// Everything that is said of a record, as text.
std::string said(Decoder& decoder, std::string_view key, std::optional<std::string_view> value) {
  const auto decoded = decoder.decode(key, value, Offset(7), 1);
  if (!decoded) {
    CHECK(!decoded.error().message.empty() && decoded.error().message.size() < 2000);
    return decoded.error().message;
  }
  if (!*decoded) return "nothing";
  const worker::SourceRow& row = **decoded;
  CHECK(!row.key.empty() && row.key.size() <= worker::kKeyBytesMax);
  if (row.row) check_row(*row.row);
  return fmt::format("{} {} {} {} {}", row.key, row.position.epoch, row.position.value,
                     row.changed_at_us, row.row.value_or("deleted"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Decoder decoder(kBindings[data[0] % std::size(kBindings)]);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto line = text.find('\n');
  const auto key = text.substr(0, line);
  std::optional<std::string_view> value;
  if (line != std::string_view::npos) value = text.substr(line + 1);
  const std::string first = said(decoder, key, value);
  const std::string again = said(decoder, key, value);
  CHECK(first == again, "{}\n{}", first, again);
  return 0;
}
