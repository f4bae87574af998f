// Whatever the document log holds: a message that is written as it was read, or an error.
//
// The first byte is the key's length, the second says what follows the key.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lib/base/check.h"
#include "worker/core/message.h"

namespace {

using namespace searchsync::worker;
using Text = std::optional<std::string_view>;

void check_message(std::string_view key, Text value, Text meta) {
  const auto message = decode(key, value, meta);
  if (!message) return;
  const EncodedMessage written = encode(*message);
  const bool of_partition =
      message->kind == MessageKind::kLead || message->kind == MessageKind::kBegin;
  if (!of_partition) CHECK(written.key == key);
  const auto again =
      decode(written.key, written.value, written.value ? std::nullopt : Text(written.meta));
  CHECK(again.has_value());
  const EncodedMessage rewritten = encode(*again);
  CHECK(rewritten.key == written.key);
  CHECK(rewritten.value == written.value);
  CHECK(rewritten.meta == written.meta);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto key = bytes.substr(0, data[0]);
  const auto rest = bytes.substr(key.size());
  switch (data[1] % 3) {
    case 0:
      check_message(key, rest, std::nullopt);
      break;
    case 1:
      check_message(key, std::nullopt, rest);
      break;
    case 2:
      check_message(key, std::nullopt, std::nullopt);
      break;
  }
  return 0;
}
