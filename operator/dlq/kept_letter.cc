#include "operator/dlq/kept_letter.h"

namespace searchsync::dlq {

KeptLetter keep(const kafka::Message& message) {
  const auto letter = dead_letters::read_letter(message);
  const auto copy = [](std::string_view text) { return std::string(text); };
  return {.place = {message.partition, message.offset},
          .timestamp_ms = message.timestamp_ms,
          .stage = copy(letter.stage),
          .binding = copy(letter.binding),
          .topic = copy(letter.topic),
          .partition = letter.partition,
          .offset = letter.offset,
          .log = copy(letter.log),
          .reason = copy(letter.reason),
          .key = letter.key.transform(copy),
          .value = letter.value.transform(copy)};
}

}  // namespace searchsync::dlq
