#include "worker/core/message.h"

#include <gtest/gtest.h>

#include <vector>

namespace searchsync::worker {
namespace {

const std::string kEveryByte = [] {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  return all;
}();

std::vector<Message> samples() {
  const Position position{7, 1234567890123};
  return {
      {.kind = MessageKind::kRow,
       .binding = 3,
       .key = "42",
       .position = position,
       .changed_at_us = 1'700'000'000'000'000,
       .row = R"({"id":42})"},
      {.kind = MessageKind::kRow,
       .binding = 199,
       .key = "a\x1f"
              "b",
       .position = position},
      {.kind = MessageKind::kChild,
       .binding = 4,
       .side = 1,
       .key = kEveryByte,
       .root = "",
       .position = {0, 1},
       .row = "{}"},
      {.kind = MessageKind::kChild,
       .binding = 4,
       .key = "k",
       .root = kEveryByte,
       .position = position},
      {.kind = MessageKind::kSubscribe, .binding = 0, .key = "x", .subscriber = Partition(1023)},
      {.kind = MessageKind::kLookup, .binding = 1, .key = "x", .position = {0, 9}, .row = "{}"},
      {.kind = MessageKind::kLookup, .binding = 1, .key = "x", .position = {0, 9}},
      {.kind = MessageKind::kRepeat, .binding = 2, .side = 1, .key = "x", .root = "y"},
      {.kind = MessageKind::kTouch, .binding = 5, .key = "x"},
      {.kind = MessageKind::kLead, .generation = Generation(32767)},
      {.kind = MessageKind::kBegin, .generation = Generation(1)},
  };
}

Result<Message> decode_again(const EncodedMessage& encoded) {
  return decode(encoded.key, encoded.value,
                encoded.value ? std::optional<std::string_view>() : encoded.meta);
}

TEST(Message, IsReadAsItWasWritten) {
  for (const auto& message : samples()) {
    SCOPED_TRACE(static_cast<char>(message.kind));
    const auto encoded = encode(message);
    const auto again = decode_again(encoded);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->kind, message.kind);
    EXPECT_EQ(again->binding, message.binding);
    EXPECT_EQ(again->side, message.side);
    EXPECT_EQ(again->key, message.key);
    EXPECT_EQ(again->root, message.root);
    EXPECT_EQ(again->subscriber, message.subscriber);
    EXPECT_EQ(again->generation, message.generation);
    EXPECT_EQ(again->position, message.position);
    EXPECT_EQ(again->changed_at_us, message.changed_at_us);
    EXPECT_EQ(again->row, message.row);
  }
}

TEST(Message, OnlyWhatIsGoneOrAnsweredIsATombstone) {
  for (const auto& message : samples()) {
    const bool forgettable =
        !message.row &&
        (message.kind == MessageKind::kRow || message.kind == MessageKind::kChild ||
         message.kind == MessageKind::kRepeat || message.kind == MessageKind::kTouch);
    EXPECT_EQ(!encode(message).value.has_value(), forgettable) << static_cast<char>(message.kind);
  }
}

TEST(Message, CompactionKeyHoldsWhatItIsAboutAndNotWhatItSays) {
  const Message base{.kind = MessageKind::kChild, .binding = 1, .side = 0, .key = "k", .root = "r"};
  const auto key_with = [&base](auto change) {
    Message changed = base;
    change(changed);
    return encode(changed).key;
  };
  const auto key = encode(base).key;
  EXPECT_EQ(key, key_with([](Message& m) { m.position = {1, 2}; }));
  EXPECT_EQ(key, key_with([](Message& m) { m.row = "{}"; }));
  EXPECT_EQ(key, key_with([](Message& m) { m.changed_at_us = 5; }));
  EXPECT_NE(key, key_with([](Message& m) { m.binding = 2; }));
  EXPECT_NE(key, key_with([](Message& m) { m.side = 1; }));
  EXPECT_NE(key, key_with([](Message& m) { m.kind = MessageKind::kRepeat; }));
  EXPECT_NE(key, key_with([](Message& m) {
              m.root = "rk";
              m.key = "";
            }));
  EXPECT_EQ(encode_lead(Generation(1)).key, encode_lead(Generation(2)).key);
  EXPECT_NE(encode_begin(Generation(1)).key, encode_begin(Generation(2)).key);
}

TEST(Message, TornBytesAreRefused) {
  for (const auto& message : samples()) {
    const auto encoded = encode(message);
    const auto& header = encoded.value ? *encoded.value : encoded.meta;
    const size_t fixed = header.size() - message.row.value_or("").size();
    for (size_t size = 0; size < fixed; ++size) {
      const auto torn = header.substr(0, size);
      const auto read = encoded.value ? decode(encoded.key, torn, std::nullopt)
                                      : decode(encoded.key, std::nullopt, torn);
      EXPECT_FALSE(read.has_value()) << static_cast<char>(message.kind) << " value of " << size;
    }
    const size_t whole =
        encoded.key.size() - (message.kind == MessageKind::kLead ? 0 : message.key.size());
    for (size_t size = 0; size < whole; ++size) {
      const auto read = decode(encoded.key.substr(0, size), encoded.value, encoded.meta);
      EXPECT_FALSE(read.has_value()) << static_cast<char>(message.kind) << " key of " << size;
    }
  }
  EXPECT_FALSE(decode("", "", std::nullopt).has_value());
  EXPECT_FALSE(decode("Zabc", std::string(24, '\0'), std::nullopt).has_value());
  EXPECT_FALSE(decode(encode(samples()[1]).key, std::nullopt, std::nullopt).has_value());
}

}  // namespace
}  // namespace searchsync::worker
