#include "aggregate/core/number.h"

#include <gtest/gtest.h>

#include <random>

namespace searchsync::aggregate {
namespace {

std::string text(const Number& number) {
  std::string out;
  number.append_to(out);
  return out;
}

std::string parsed(std::string_view json) {
  const auto number = Number::parse(json);
  return number ? text(*number) : "refused";
}

TEST(Number, IsWhatWasWritten) {
  const std::pair<const char*, const char*> kCases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"7", "7"},
      {"-12", "-12"},
      {"1.50", "1.50"},
      {"-0.05", "-0.05"},
      {"0.000", "0.000"},
      {"1e3", "1000"},
      {"1.25E1", "12.5"},
      {"1.5e-3", "0.0015"},
      {"12e-1", "1.2"},
      {"0e99", "0"},
      {"9999999999999999999", "9999999999999999999"},
      {"10000000000000000000", "refused"},
      {"1e18", "1000000000000000000"},
      {"1e19", "refused"},
      {"1e999999999999", "refused"},
      {"0.000000000000000001", "0.000000000000000001"},
      {"0.0000000000000000001", "refused"},
      {"0.1000000000000000000000", "0.100000000000000000"},
      {"1e-99", "refused"},
      {"9999999999999999999.999999999999999999", "9999999999999999999.999999999999999999"},
      {"123456789012345678901234567890123456789012345678901234567890", "refused"},
  };
  for (const auto& [json, expected] : kCases) EXPECT_EQ(parsed(json), expected) << json;
}

TEST(Number, AddsExactly) {
  const auto sum = [](std::string_view a, std::string_view b) {
    const auto made = Number::sum(*Number::parse(a), *Number::parse(b));
    return made ? text(*made) : "refused";
  };
  EXPECT_EQ(sum("0.1", "0.2"), "0.3");
  EXPECT_EQ(sum("1.50", "1.50"), "3.00");
  EXPECT_EQ(sum("1", "0.000000000000000001"), "1.000000000000000001");
  EXPECT_EQ(sum("-1.5", "1.5"), "0.0");
  EXPECT_EQ(sum("-3", "1"), "-2");
  EXPECT_EQ(sum("9999999999999999999", "1"), "refused");
  EXPECT_EQ(sum("-9999999999999999999", "-1"), "refused");
}

TEST(Number, ComparesValues) {
  const auto order = [](std::string_view a, std::string_view b) {
    return Number::parse(a)->compare(*Number::parse(b));
  };
  EXPECT_EQ(order("1.5", "1.50"), std::strong_ordering::equal);
  EXPECT_EQ(order("2", "10"), std::strong_ordering::less);
  EXPECT_EQ(order("-2", "-10"), std::strong_ordering::greater);
  EXPECT_EQ(order("9999999999999999999", "0.000000000000000001"), std::strong_ordering::greater);
  EXPECT_EQ(Number::parse("1000.5")->compare(1000), std::strong_ordering::greater);
  EXPECT_EQ(Number::parse("-1")->compare(INT64_MIN), std::strong_ordering::greater);
}

TEST(Number, IsReadBackAsItWas) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string json = random() % 2 == 0 ? "-" : "";
    json += std::to_string(random() % (i % 3 == 0 ? 10 : 10'000'000'000'000'000'000U));
    if (random() % 2 == 0) json += "." + std::to_string(random() % 1'000'000'000'000'000'000U);
    const auto number = Number::parse(json);
    ASSERT_TRUE(number) << json;
    std::string bytes;
    number->encode(bytes);
    VarintReader reader(bytes);
    EXPECT_EQ(text(Number::decode(reader)), text(*number)) << json;
    EXPECT_TRUE(reader.at_end()) << json;
  }
}

TEST(Number, RefusesBytesThatItDidNotWrite) {
  std::string bytes;
  append_varint(bytes, 19);  // digits behind the point
  append_signed(bytes, 1);
  VarintReader scale(bytes);
  (void)Number::decode(scale);
  EXPECT_FALSE(scale.ok());
  VarintReader nothing("");
  (void)Number::decode(nothing);
  EXPECT_FALSE(nothing.ok());
}

}  // namespace
}  // namespace searchsync::aggregate
