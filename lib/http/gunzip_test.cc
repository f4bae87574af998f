#include "lib/http/gunzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace searchsync::http {
namespace {

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string pattern(size_t size) {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) text += std::to_string(i * 2'654'435'761) + "\n";
  text.resize(size);
  return text;
}

TEST(Gunzip, GivesBackWhatWasCompressed) {
  for (const size_t size : {0, 1, 1000, 32 << 10, (32 << 10) + 1, 300'000}) {
    const auto text = pattern(size);
    EXPECT_EQ(gunzip(gzip(text), size).value(), text) << size;
  }
}

TEST(Gunzip, ReadsEveryMember) {
  EXPECT_EQ(gunzip(gzip("one\n") + gzip("") + gzip("two\n"), 8).value(), "one\ntwo\n");
}

TEST(Gunzip, KeepsToItsBound) {
  const auto bomb = gzip(std::string(50'000'000, 'x'));
  ASSERT_LT(bomb.size(), 100'000u);
  EXPECT_EQ(gunzip(bomb, 1'000'000).error().code, ErrorCode::kLimit);
  EXPECT_EQ(gunzip(gzip("12345"), 4).error().code, ErrorCode::kLimit);
  EXPECT_EQ(gunzip(gzip("123") + gzip("45"), 4).error().code, ErrorCode::kLimit);
}

// Whatever is missing or too much: a part of what was sent is never taken for all of it.
TEST(Gunzip, RefusesWhatIsNotWhole) {
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
  EXPECT_EQ(gunzip("{\"plain\": \"JSON\"}", 1 << 20).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace searchsync::http
