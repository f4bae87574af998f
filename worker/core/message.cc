#include "worker/core/message.h"

#include <fmt/core.h>

#include "worker/core/bytes.h"

namespace searchsync::worker {
namespace {

void append_header(std::string& out, const Message& message) {
  append_integer(out, message.changed_at_us);
  append_integer(out, message.position.epoch);
  append_integer(out, message.position.value);
}

// A Lookup without a row is knowledge that must survive compaction. A Row or Child without one is a
// deletion that need not, and neither need a question that was answered long ago, nor a touch.
bool is_tombstone(const Message& message) {
  return !message.row &&
         (message.kind == MessageKind::kRow || message.kind == MessageKind::kChild ||
          message.kind == MessageKind::kRepeat || message.kind == MessageKind::kTouch);
}

std::string encode_key(const Message& message) {
  std::string key(1, static_cast<char>(message.kind));
  if (message.kind == MessageKind::kLead) return key;
  if (message.kind == MessageKind::kBegin) {
    append_integer(key, message.generation.get());
    return key;
  }
  key.reserve(16 + message.key.size() + message.root.size());
  append_integer(key, message.binding);
  if (message.kind == MessageKind::kChild || message.kind == MessageKind::kRepeat) {
    append_integer(key, message.side);
    append_short_string(key, message.root);
  }
  if (message.kind == MessageKind::kSubscribe) append_integer(key, message.subscriber.get());
  key += message.key;
  return key;
}

}  // namespace

EncodedMessage encode(const Message& message) {
  EncodedMessage encoded;
  encoded.key = encode_key(message);
  if (is_tombstone(message)) {
    append_header(encoded.meta, message);
    return encoded;
  }
  std::string value;
  value.reserve(24 + (message.row ? message.row->size() : 0));
  if (message.kind == MessageKind::kLead || message.kind == MessageKind::kBegin) {
    append_integer(value, message.generation.get());
  } else {
    append_header(value, message);
    if (message.row) value += *message.row;
  }
  encoded.value = std::move(value);
  return encoded;
}

EncodedMessage encode_lead(Generation generation) {
  return encode({.kind = MessageKind::kLead, .generation = generation});
}

EncodedMessage encode_begin(Generation generation) {
  return encode({.kind = MessageKind::kBegin, .generation = generation});
}

Result<Message> decode(std::string_view key, std::optional<std::string_view> value,
                       std::optional<std::string_view> meta) {
  ByteReader keys(key);
  Message message;
  message.kind = static_cast<MessageKind>(keys.integer<char>());
  ByteReader values(value ? *value : meta.value_or(std::string_view()));
  switch (message.kind) {
    case MessageKind::kBegin:
      keys.integer<int32_t>();  // the same
      [[fallthrough]];
    case MessageKind::kLead:
      message.generation = Generation(values.integer<int32_t>());
      if (!keys.ok() || !values.ok()) break;
      return message;
    case MessageKind::kRow:
    case MessageKind::kChild:
    case MessageKind::kSubscribe:
    case MessageKind::kLookup:
    case MessageKind::kRepeat:
    case MessageKind::kTouch:
      message.binding = keys.integer<BindingId>();
      if (message.kind == MessageKind::kChild || message.kind == MessageKind::kRepeat) {
        message.side = keys.integer<uint8_t>();
        message.root = keys.short_string();
      }
      if (message.kind == MessageKind::kSubscribe) {
        message.subscriber = Partition(keys.integer<int32_t>());
      }
      message.key = keys.rest();
      message.changed_at_us = values.integer<uint64_t>();
      message.position.epoch = values.integer<uint64_t>();
      message.position.value = values.integer<uint64_t>();
      if (value && !values.rest().empty()) message.row = values.rest();
      if (!keys.ok() || !values.ok()) break;
      return message;
  }
  return fail(
      ErrorCode::kMalformed,
      fmt::format("not a message of the document log: key of {} bytes, value of {}, kind {}",
                  key.size(), value ? value->size() : 0, static_cast<int>(message.kind)));
}

}  // namespace searchsync::worker
