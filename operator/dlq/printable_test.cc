#include "operator/dlq/printable.h"

#include <gtest/gtest.h>

namespace searchsync::dlq {
namespace {

TEST(Printable, LeavesTextAndShowsTheRest) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"plain text", "plain text"},
      {"é € 😀", "é € 😀"},
      {"a\nb\tc\rd", R"(a\nb\tc\rd)"},
      {R"(C:\x)", R"(C:\\x)"},
      {std::string("\0\x1b[2J\x7f", 6), R"(\x00\x1b[2J\x7f)"},
      {"\xc2\x9b", R"(\xc2\x9b)"},                  // a control character of UTF-8
      {"\xff\xfe", R"(\xff\xfe)"},                  // no UTF-8
      {"\xc3", R"(\xc3)"},                          // cut off
      {"\xe2\x82", R"(\xe2\x82)"},                  // cut off
      {"\xc0\xaf", R"(\xc0\xaf)"},                  // not the shortest form
      {"\xed\xa0\x80", R"(\xed\xa0\x80)"},          // half of a pair
      {"\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)"},  // beyond the last character
  };
  for (const auto& [bytes, text] : cases) EXPECT_EQ(printable(bytes), text);
}

TEST(Printable, AnExcerptIsAsLongAsItMayBe) {
  EXPECT_EQ(excerpt("éüö", 3), "éüö");
  EXPECT_EQ(excerpt("éüöä", 3), "éüö…");
  EXPECT_EQ(excerpt("\n\n\n", 2), R"(\n\n…)");
  EXPECT_EQ(excerpt("", 0), "");
}

TEST(Printable, JsonIsIndentedAndNothingElseChanges) {
  EXPECT_EQ(pretty_json(R"({"b":1.10,"a":[1,{"c":"x, y: \"{}\" \\"}],"e":{},"l":[ ]})"), R"({
  "b": 1.10,
  "a": [
    1,
    {
      "c": "x, y: \"{}\" \\"
    }
  ],
  "e": {},
  "l": []
})");
  EXPECT_EQ(pretty_json("123456789012345678901234567890.5"), "123456789012345678901234567890.5");
  EXPECT_EQ(pretty_json("{\"a\":1}\n{\"b\":[]}\n"), "{\n  \"a\": 1\n}\n{\n  \"b\": []\n}");
  for (const auto* wrong : {"", "\n", "not JSON", "{\"a\":1", "{\"a\":1}\nno", "\xff"}) {
    EXPECT_EQ(pretty_json(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace searchsync::dlq
