#include "worker/core/json_check.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace searchsync::worker {
namespace {

namespace ondemand = simdjson::ondemand;

TEST(ByteKinds, EqualsALookAtEachByte) {
  for (size_t size = 0; size < 20; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        // Neighbours that a carry or a borrow would spoil.
        for (const char other : {'\x20', '\x21', ']', '[', '\x7f', '\x80', '\xff'}) {
          std::string text(size, other);
          text[at] = static_cast<char>(byte);
          const auto kinds = byte_kinds(text);
          ASSERT_EQ(kinds.control, byte < 0x20) << size << ' ' << at << ' ' << byte;
          ASSERT_EQ(kinds.backslash, byte == '\\') << size << ' ' << at << ' ' << byte;
        }
      }
    }
  }
}

TEST(JsonNumber, FollowsTheGrammar) {
  for (const char* yes : {"0", "-0", "1", "10", "-12.500", "0.0", "1e5", "1E+05", "1.5e-300",
                          "123456789012345678901234567890"}) {
    EXPECT_TRUE(is_json_number(yes)) << yes;
  }
  for (const char* no : {"", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1.e5", "0x1", " 1",
                         "1 ", "1,2", "NaN", "Infinity", "--1", "1.2.3", "1_0"}) {
    EXPECT_FALSE(is_json_number(no)) << no;
  }
}

struct Case {
  std::string json;
  std::string appended;  // nothing: refused
};

std::string nested(int depth) {
  const auto count = static_cast<size_t>(depth);
  return R"({"a":)" + std::string(count, '[') + std::string(count, ']') + "}";
}

const Case kCases[] = {
    {"{}", "{}"},
    {R"({"a":[],"b":{}})", R"({"a":[],"b":{}})"},
    {" { \"a\" : [ 1 , -2.50 , true , false , null , \"x y\" ] } ",
     R"({"a":[1,-2.50,true,false,null,"x y"]})"},
    {R"({"a\"\u00e9\n":"\ud83d\ude00\\"})", R"({"a\"é\n":"\ud83d\ude00\\"})"},
    {R"({"a":tru})", ""},
    {R"({"a":nul})", ""},
    {R"({"a":falsee})", ""},
    {R"({"a":01})", ""},
    {R"({"a":-})", ""},
    {R"({"a":[1,2.]})", ""},
    {R"({"a":x})", ""},
    {R"({"a":"\x"})", ""},
    {R"({"a":"\u12"})", ""},
    {R"({"a":"\ud83d"})", ""},
    {R"({"\x":1})", ""},
    {R"({"a":})", ""},
    {R"({"a" 1})", ""},
    {R"({"a":1 "b":2})", ""},
    {R"({"a":[1 2]})", ""},
    {"{\"a\":1\f}", ""},
    {"{\"a\":true\v}", ""},
    {"{\"a\":[\"b\"\x01]}", ""},
    {R"({"a":"b":1})", ""},
    {R"({"a":"b":[1]}})", ""},
    {R"({"a":["b":[1]]})", ""},
    {R"({"a":1)", ""},
    {R"({"a":{"b":[1})", ""},
    {nested(kJsonDepthMax), nested(kJsonDepthMax)},
    {nested(kJsonDepthMax + 1), ""},
};

simdjson::error_code open(ondemand::parser& parser, const simdjson::padded_string& text,
                          ondemand::document& document, ondemand::object& object) {
  if (auto error = parser.iterate(text).get(document)) return error;
  return document.get_object().get(object);
}

TEST(CheckObject, LooksAtEveryValue) {
  for (const auto& [json, appended] : kCases) {
    const simdjson::padded_string text(json);
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object object;
    auto error = open(parser, text, document, object);
    if (!error) error = check_object(object, byte_kinds(json), 0);
    EXPECT_EQ(error == simdjson::SUCCESS, !appended.empty()) << json << ": " << error;
  }
}

TEST(AppendValue, LeavesWhitespaceAndNothingElseOut) {
  for (const auto& [json, appended] : kCases) {
    const simdjson::padded_string text("[" + json + "]");
    ondemand::parser parser;
    ondemand::document document;
    ondemand::array array;
    std::string out;
    auto error = parser.iterate(text).get(document);
    if (!error) error = document.get_array().get(array);
    if (error) {
      EXPECT_EQ(appended, "") << json;
      continue;
    }
    for (auto element : array) {
      ondemand::value value;
      error = element.get(value);
      if (!error) error = append_value(value, 0, out);
      if (error) break;
    }
    EXPECT_EQ(error == simdjson::SUCCESS, !appended.empty()) << json << ": " << error;
    if (!error) {
      EXPECT_EQ(out, appended);
    }
  }
}

TEST(AtEnd, NothingMayFollow) {
  const std::pair<std::string_view, bool> cases[] = {
      {"{}", true},          {" {\"a\":1} \n", true}, {"{}{}", false}, {"{} 1", false},
      {"{\"a\":1}}", false}, {"{},", false},          {"{}]", false}};
  for (const auto& [json, ended] : cases) {
    const simdjson::padded_string text(json);
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object object;
    bool read = open(parser, text, document, object) == simdjson::SUCCESS;
    read = read && check_object(object, byte_kinds(json), 0) == simdjson::SUCCESS;
    EXPECT_EQ(read && at_end(document), ended) << json;
  }
}

}  // namespace
}  // namespace searchsync::worker
