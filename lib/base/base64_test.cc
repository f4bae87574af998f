#include "lib/base/base64.h"

#include <gtest/gtest.h>

namespace searchsync {
namespace {

TEST(Base64, DecodesWhatIsWellFormed) {
  const std::pair<const char*, std::string> cases[] = {
      {"", ""},
      {"Zg==", "f"},
      {"Zm8=", "fo"},
      {"Zm9v", "foo"},
      {"Zm9v\nYmFy", "foobar"},
      {"AP8=", std::string("\0\xff", 2)},
  };
  for (const auto& [text, bytes] : cases) {
    EXPECT_EQ(decode_base64(text, Spaces::kLeftOut), bytes) << text;
  }
  for (const char* text : {"Z", "Zg", "Zg=", "Zm9v=", "Zg==Zg==", "Z*==", "===="}) {
    EXPECT_FALSE(decode_base64(text)) << text;
    EXPECT_FALSE(decode_base64(text, Spaces::kLeftOut)) << text;
  }
  EXPECT_FALSE(decode_base64("Zm9v\nYmFy"));
}

TEST(Base64, WholeGroupsOnly) {
  const std::pair<std::string_view, std::optional<std::string>> cases[] = {
      {"", ""},
      {"MDk=", "\x30\x39"},
      {"/w==", "\xff"},
      {"AAEC", std::string("\0\1\2", 3)},
      {"+/+/", "\xfb\xff\xbf"},
      {"MDk", std::nullopt},
      {"M===", std::nullopt},
      {"MD=k", std::nullopt},
      {"MDk=MDk=", std::nullopt},
      {"MD-_", std::nullopt},
      {"MD k", std::nullopt},
  };
  for (const auto& [text, bytes] : cases) EXPECT_EQ(decode_base64(text), bytes) << text;
}

TEST(Base64, EncodesWhatItDecodes) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
    bytes.push_back(static_cast<char>(i * 37));
  }
}

}  // namespace
}  // namespace searchsync
