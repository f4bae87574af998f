#include "lib/base/gzip.h"

#include <gtest/gtest.h>

#include <string>

namespace searchsync {
namespace {

std::string pattern(size_t size) {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) text += std::to_string(i * 2'654'435'761) + "\n";
  text.resize(size);
  return text;
}

TEST(Gzip, GivesBackWhatWasCompressed) {
  for (const size_t size : {0, 1, 1000, 32 << 10, (32 << 10) + 1, 300'000}) {
    const auto text = pattern(size);
    const auto compressed = gzip(text);
    EXPECT_TRUE(is_gzip(compressed));
    EXPECT_EQ(gunzip(compressed, size).value(), text) << size;
  }
}

TEST(Gzip, ReadsEveryMember) {
  EXPECT_EQ(gunzip(gzip("one\n") + gzip("") + gzip("two\n"), 8).value(), "one\ntwo\n");
}

TEST(Gzip, KeepsToItsBound) {
  const auto bomb = gzip(std::string(50'000'000, 'x'));
  ASSERT_LT(bomb.size(), 100'000u);
  EXPECT_EQ(gunzip(bomb, 1'000'000).error().code, ErrorCode::kLimit);
  EXPECT_EQ(gunzip(gzip("12345"), 4).error().code, ErrorCode::kLimit);
  EXPECT_EQ(gunzip(gzip("123") + gzip("45"), 4).error().code, ErrorCode::kLimit);
}

// Whatever is missing or too much: a part of what was sent is never taken for all of it.
TEST(Gzip, RefusesWhatIsNotWhole) {
  const auto whole = gzip(pattern(5'000));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(gunzip(whole.substr(0, size), 1 << 20).error().code, ErrorCode::kMalformed) << size;
  }
  for (const std::string& more : {std::string("x"), std::string(1, '\0'), whole.substr(0, 20)}) {
    EXPECT_EQ(gunzip(whole + more, 1 << 20).error().code, ErrorCode::kMalformed);
  }
  auto broken = whole;
  broken[broken.size() - 5] ^= 1;  // of the checksum
  EXPECT_EQ(gunzip(broken, 1 << 20).error().code, ErrorCode::kMalformed);
  EXPECT_FALSE(is_gzip("{}"));
  EXPECT_EQ(gunzip("{\"plain\": \"JSON\"}", 1 << 20).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace searchsync
