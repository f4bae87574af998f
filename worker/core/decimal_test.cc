#include "worker/core/decimal.h"

#include <gtest/gtest.h>

#include <bit>

namespace searchsync::worker {
namespace {

std::string big_endian(int64_t value, size_t bytes) {
  std::string made;
  for (size_t i = bytes; i-- > 0;) {
    made += static_cast<char>(std::bit_cast<uint64_t>(value) >> (8 * i));
  }
  return made;
}

std::string decimal(std::string_view unscaled, int32_t scale) {
  std::string out = "before ";
  return append_decimal(unscaled, scale, out) ? out.substr(7) : out + "refused";
}

TEST(Decimal, EveryScale) {
  const struct {
    std::string unscaled;
    int32_t scale;
    std::string_view number;
  } cases[] = {
      {"", 0, "0"},
      {"", 2, "0.00"},
      {std::string(1, '\0'), 0, "0"},
      {std::string(1, '\0'), -3, "0"},
      {"\x01", 0, "1"},
      {"\x01", 1, "0.1"},
      {"\x01", 3, "0.001"},
      {"\x01", -3, "1000"},
      {"\x30\x39", 2, "123.45"},
      {"\x30\x39", 5, "0.12345"},
      {"\x7f", 0, "127"},
      {"\x80", 0, "-128"},
      {"\xff", 2, "-0.01"},
      {"\xff", -2, "-100"},
      {std::string("\0\x80", 2), 0, "128"},
      {"\xff\xff\xff\x80", 0, "-128"},
      {big_endian(std::numeric_limits<int64_t>::max(), 8), 0, "9223372036854775807"},
      {big_endian(std::numeric_limits<int64_t>::min(), 8), 18, "-9.223372036854775808"},
      {std::string("\x01") + std::string(16, '\0'), 0, "340282366920938463463374607431768211456"},
      {std::string("\xff") + std::string(16, '\0'), 0, "-340282366920938463463374607431768211456"},
  };
  for (const auto& [unscaled, scale, number] : cases) {
    EXPECT_EQ(decimal(unscaled, scale), number) << scale;
  }
}

TEST(Decimal, EqualsWhatIntegersSay) {
  for (int64_t value : {0L, 1L, 9L, 10L, 99L, 255L, 256L, 999'999'999L, 1'000'000'000L,
                        1'000'000'001L, 10'000'000'000'000L}) {
    EXPECT_EQ(decimal(big_endian(value, 8), 0), std::to_string(value));
    EXPECT_EQ(decimal(big_endian(-value, 8), 0), std::to_string(-value));
  }
}

TEST(Decimal, BeyondItsLimitsNothingIsWritten) {
  EXPECT_EQ(decimal("\x01", kDecimalScaleMax).size(), 2u + kDecimalScaleMax);
  EXPECT_EQ(decimal("\x01", kDecimalScaleMax + 1), "before refused");
  EXPECT_EQ(decimal("\x01", -kDecimalScaleMax - 1), "before refused");
  EXPECT_EQ(decimal(std::string(kDecimalBytesMax, '\x7f'), 0).size(), 9864u);
  EXPECT_EQ(decimal(std::string(kDecimalBytesMax + 1, '\x7f'), 0), "before refused");
}

TEST(Bits, TheHighestFirst) {
  const auto bits = [](std::string_view bytes, size_t count) {
    std::string out;
    append_bits(bytes, count, out);
    return out;
  };
  EXPECT_EQ(bits("\x05", 3), "101");
  EXPECT_EQ(bits("\x05", 8), "00000101");
  EXPECT_EQ(bits("\x01\x80", 16), "1000000000000001");
  EXPECT_EQ(bits("\x01", 10), "0000000001");
  EXPECT_EQ(bits("\xff", 0), "");
}

TEST(Hex, EveryByte) {
  std::string out;
  append_hex(std::string_view("\0\x0f\xa5\xff", 4), out);
  EXPECT_EQ(out, "000FA5FF");
}

}  // namespace
}  // namespace searchsync::worker
