#include "operator/dlq/letter_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace searchsync::dlq {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

KeptLetter letter() {
  return {.place = {Partition(0), Offset(17)},
          .timestamp_ms = 1'700'000'000'123,
          .stage = "decode",
          .binding = "note",
          .topic = "notes",
          .partition = Partition(1),
          .offset = Offset(3),
          .log = "searchsync.default.notes.log-1",
          .reason = "binding note: expected a JSON object",
          .key = "k\n",
          .value = "\xff{"};
}

TEST(LetterText, AListHasALineEach) {
  EXPECT_EQ(to_table(Listing{}), "there are no dead letters\n");
  auto document = letter();
  document.place.offset = Offset(18);
  document.stage = "index";
  document.binding = "";
  document.reason = std::string(200, 'r');
  document.key = std::nullopt;
  const Listing listing{
      .total = 5, .by_binding = {{"", 1}, {"note", 4}}, .letters = {document, letter()}};
  EXPECT_EQ(to_table(listing),
            "POSITION  TIME                  STAGE   BINDING  SOURCE     KEY  REASON\n"
            "0/18      2023-11-14T22:13:20Z  index   -        notes 1/3  -    " +
                std::string(160, 'r') +
                "…\n"
                "0/17      2023-11-14T22:13:20Z  decode  note     notes 1/3  k\\n  "
                "binding note: expected a JSON object\n"
                "5 dead letters: 1 of whole documents, 4 of note; these are the newest 2 "
                "(--limit)\n");

  const auto parsed = json::parse(to_json(listing));
  EXPECT_EQ(parsed.at("total"), 5);
  EXPECT_EQ(parsed.at("byBinding"), (json{{"", 1}, {"note", 4}}));
  ASSERT_EQ(parsed.at("letters").size(), 2u);
  EXPECT_EQ(parsed.at("letters")[1].at("position"), "0/17");
  EXPECT_EQ(parsed.at("letters")[1].at("source"),
            (json{{"topic", "notes"}, {"partition", 1}, {"offset", 3}}));
  EXPECT_FALSE(parsed.at("letters")[1].contains("valueBase64"));
}

TEST(LetterText, OneIsShownWhole) {
  const auto text = to_text(letter());
  EXPECT_THAT(text, HasSubstr("position  0/17\n"));
  EXPECT_THAT(text, HasSubstr("stage     decode: a record of the source could not be read\n"));
  EXPECT_THAT(text, HasSubstr("source    topic notes partition 1 offset 3\n"));
  EXPECT_THAT(text, HasSubstr("key       k\\n\n"));
  EXPECT_THAT(text, HasSubstr("value     2 bytes\n\\xff{\n"));

  auto other = letter();
  other.value = "{\"a\":\"C:\\\\x\",\"b\":\"\x7f\"}";
  EXPECT_THAT(to_text(other), HasSubstr("\n{\n  \"a\": \"C:\\\\x\",\n  \"b\": \"\\x7f\"\n}\n"));
  other.value = std::nullopt;
  EXPECT_THAT(to_text(other), HasSubstr("value     none\n"));
  EXPECT_THAT(to_text(KeptLetter{}), HasSubstr("was not written by SearchSync"));
}

TEST(LetterText, AsJsonNothingIsLost) {
  const auto parsed = json::parse(to_json(letter()));
  EXPECT_EQ(parsed.at("keyText"), "k\n");
  EXPECT_EQ(parsed.at("valueBase64"), "/3s=");
  EXPECT_FALSE(parsed.contains("valueText"));
  EXPECT_FALSE(json::parse(to_json(KeptLetter{})).contains("keyText"));
}

}  // namespace
}  // namespace searchsync::dlq
