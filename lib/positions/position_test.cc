#include "lib/positions/position.h"

#include <gtest/gtest.h>

namespace searchsync::positions {
namespace {

const Token kToken{
    .log = {.system = 0xfedcba9876543210, .timeline = 3, .database = digest_of("widgets")},
    .lsn = postgres::Lsn(0x16b374d848)};

TEST(Token, IsReadAsItWasWritten) {
  const std::string text = to_string(kToken);
  EXPECT_EQ(text, "fedcba9876543210-3-" + digest_of("widgets") + "-16b374d848");
  const auto read = parse_token(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, kToken);
  const auto several = parse_tokens(text + " , " + text);
  ASSERT_TRUE(several);
  EXPECT_EQ(several->size(), 2U);
  EXPECT_EQ(several->back(), kToken);
}

TEST(Token, WhatIsNoneIsRefused) {
  const std::string text = to_string(kToken);
  for (const std::string& wrong :
       {std::string(), std::string("-"), std::string("---"), text + "-1", text + "0000000000000000",
        "1" + text, "-" + text, " " + text, text + "\n", std::string("1-1-1-1"),
        std::string("1-1-12345678"), std::string("1-1-12345678-"), std::string("1-1-1234567g-1"),
        std::string("1-1-12345678-0x1"), std::string("1-1-12345678-A"),
        std::string("+1-1-12345678-1")}) {
    const auto read = parse_token(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(parse_tokens(text + ","));
  std::string many = text;
  for (size_t i = 1; i < kTokensMax; ++i) many += "," + text;
  EXPECT_TRUE(parse_tokens(many));
  EXPECT_FALSE(parse_tokens(many + "," + text));
}

TEST(Position, IsReadAsItWasWritten) {
  const CapturePosition position{
      .log = kToken.log,
      .through = postgres::Lsn(0x16b374d848),
      .topics = {{"a", {.ends = {7, 0}, .whole = true}}, {"b", {.ends = {}, .whole = false}}}};
  const auto read = parse_position(to_json(position));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, position);
}

TEST(Position, WhatIsNoneIsRefused) {
  for (const char* wrong : {"", "[]", "{}", R"({"version":1})",
                            R"({"version":1,"system":1,"timeline":1,"database":"x",
                                "through":"zz","topics":{}})",
                            R"({"version":1,"system":1,"timeline":1,"database":"x",
                                "through":"0/1","topics":{"a":{"ends":["x"],"whole":true}}})"}) {
    const auto read = parse_position(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_EQ(read.error().code, ErrorCode::kMalformed) << wrong;
  }
  const auto newer = parse_position(R"({"version":2})");
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace searchsync::positions
