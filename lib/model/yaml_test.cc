#include "lib/model/yaml.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/model/json.h"

namespace searchsync::model {
namespace {

std::string all_json(const YamlFile& file) {
  std::string out;
  for (const Node& document : file.documents) out += to_json(document) + "\n";
  return out;
}

std::string first_fault(const YamlFile& file) {
  return file.faults.empty() ? "" : to_string(file.faults.front());
}

TEST(Yaml, ReadsScalarsAsJsonHasThem) {
  struct Case {
    std::string yaml;
    std::string json;
  };
  const std::vector<Case> cases = {
      {"a: true", R"({"a":true})"},
      {"a: yes", R"({"a":"yes"})"},
      {"a: on", R"({"a":"on"})"},
      {"a: True", R"({"a":"True"})"},
      {"a: 'true'", R"({"a":"true"})"},
      {"a: \"5\"", R"({"a":"5"})"},
      {"a: !!str 5", R"({"a":"5"})"},
      {"a: 5", R"({"a":5})"},
      {"a: -0", R"({"a":-0})"},
      {"a: 0755", R"({"a":"0755"})"},
      {"a: 0x1F", R"({"a":"0x1F"})"},
      {"a: 1_000", R"({"a":"1_000"})"},
      {"a: 12:30", R"({"a":"12:30"})"},
      {"a: +5", R"({"a":"+5"})"},
      {"a: .5", R"({"a":".5"})"},
      {"a: .nan", R"({"a":".nan"})"},
      {"a: 1.10", R"({"a":1.10})"},
      {"a: 9223372036854775807", R"({"a":9223372036854775807})"},
      {"a: 9223372036854775808", R"({"a":9223372036854775808})"},
      {"a: 1e3", R"({"a":1e3})"},
      {"a: 2024-01-15", R"({"a":"2024-01-15"})"},
      {"a: ~\nb:\nc: null\nd: Null", R"({"a":null,"b":null,"c":null,"d":null})"},
      {"1: a\ntrue: b", R"({"1":"a","true":"b"})"},
      {"{\"z\": [1, {}], \"a\": []}", R"({"z":[1,{}],"a":[]})"},
      {"a: |\n  one\n  \"two\"\n", R"({"a":"one\n\"two\"\n"})"},
      {"a: \"\\u00e9\\t\\x01\"", "{\"a\":\"\xc3\xa9\\t\\u0001\"}"},
  };
  for (const Case& one : cases) {
    const YamlFile file = parse_yaml("f", one.yaml);
    EXPECT_EQ(all_json(file), one.json + "\n") << one.yaml << "\n" << first_fault(file);
  }
}

TEST(Yaml, ReadsSeveralDocumentsAndSkipsEmptyOnes) {
  const YamlFile file = parse_yaml("f", "# nothing\n---\na: 1\n---\n---\nb: 2\n...\n");
  EXPECT_EQ(all_json(file), "{\"a\":1}\n{\"b\":2}\n");
  EXPECT_TRUE(file.complete);
  EXPECT_TRUE(parse_yaml("f", "").documents.empty());
}

TEST(Yaml, KnowsPositions) {
  const YamlFile file = parse_yaml("f", "a:\n  - x\n  - b: {c: 1}\n");
  ASSERT_EQ(file.documents.size(), 1U);
  const Node& list = *file.documents[0].find("a");
  EXPECT_EQ(list.position, (Position{2, 3}));
  EXPECT_EQ((*list.sequence())[0].position, (Position{2, 5}));
  EXPECT_EQ((*list.sequence())[1].find("b")->find("c")->position, (Position{3, 12}));
}

TEST(Yaml, ResolvesAliasesAndMerges) {
  EXPECT_EQ(all_json(parse_yaml("f", "a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\n")),
            R"({"a":{"p":1,"q":2},"b":{"p":1,"q":2},"c":{"q":3,"p":1}})"
            "\n");
  EXPECT_EQ(all_json(parse_yaml("f", "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}\n")),
            R"({"a":{"p":1},"b":{"p":2,"q":2},"c":{"p":1,"q":2}})"
            "\n");
  EXPECT_EQ(all_json(parse_yaml("f", "\"<<\": 1\n")), "{\"<<\":1}\n");
}

TEST(Yaml, SaysWhatIsWrongAndWhere) {
  struct Case {
    std::string yaml;
    std::string fault;
  };
  const std::vector<Case> cases = {
      {"a: 1\nb: 2\na: 3\n",
       "f:3:1: the key `a` is there twice, first in line 1: keep one of them"},
      {"a: [1\nb: 2\n", "f:2:2: not YAML: "},
      {"a: *x\n", "f:1:4: not YAML: "},
      {"a: &x [*x]\n", "f:1:8: an alias inside of what it stands for"},
      {"a: !thing 5\n", "f:1:4: the tag !thing is not supported: leave it out"},
      {"a: !!binary aGk=\n", "f:1:4: the tag tag:yaml.org,2002:binary is not supported"},
      {"? [a]\n: 1\n", "f:1:3: a key must be text"},
      {": 1\n", "f:1:1: a key must be text"},
      {"a: {<<: 5}\n", "f:1:9: `<<` merges an object"},
      {"a: 1e999\n", "f:1:4: the number 1e999 is out of range"},
      {"a: b\nc: \xff\n", "f:2:4: a byte that is not UTF-8 text"},
      {"a: \xed\xa0\x80\n", "f:1:4: a byte that is not UTF-8 text"},
      {std::string("a: \0b\n", 6), "f:1:4: a byte that is not UTF-8 text"},
      {std::string(65, '[') + std::string(65, ']'), "f:1:65: nested more than 64 deep"},
      {std::string((1 << 20) + 1, ' '), "f: the file has 1048577 bytes, at most 1048576"},
  };
  for (const Case& one : cases) {
    const std::string found = first_fault(parse_yaml("f", one.yaml));
    EXPECT_TRUE(found.starts_with(one.fault)) << one.yaml.substr(0, 80) << "\n  " << found;
  }
}

TEST(Yaml, KeepsTheFirstOfEqualKeysAndWhatStoodBeforeASyntaxError) {
  EXPECT_EQ(all_json(parse_yaml("f", "a: 1\na: 2\n")), "{\"a\":1}\n");
  const YamlFile file = parse_yaml("f", "a: 1\n---\nb: [\n");
  EXPECT_EQ(all_json(file), "{\"a\":1}\n");
  EXPECT_FALSE(file.complete);
}

TEST(Yaml, BoundsWhatAliasesRepeat) {
  std::string laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int level = 1; level < 10; ++level) {
    laughs += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n",
                          level, level - 1);
  }
  EXPECT_NE(first_fault(parse_yaml("f", laughs)).find("more than 100000 values"),
            std::string::npos);

  std::string text = "a: &x \"" + std::string(500'000, 'x') + "\"\nb: [";
  for (int i = 0; i < 20; ++i) text += "*x, ";
  EXPECT_NE(first_fault(parse_yaml("f", text + "1]\n")).find("more than 4194304 bytes of text"),
            std::string::npos);

  std::string deep = "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n";
  for (int level = 1; level < 10; ++level) {
    deep += fmt::format("a{0}: &a{0} [[[[[[[[[[*a{1}]]]]]]]]]]\n", level, level - 1);
  }
  EXPECT_NE(first_fault(parse_yaml("f", deep)).find("nested more than 64 deep"), std::string::npos);
}

TEST(Json, KeepsNumbersAndOrder) {
  const std::string text = R"({"b":[1,-2,1.10,1e5,18446744073709551615,null,true],"a":"\"\\é"})";
  const auto node = parse_json(text);
  ASSERT_TRUE(node.has_value()) << node.error().message;
  EXPECT_EQ(to_json(*node), text);
  EXPECT_EQ(*canonical_json(R"({ "b": {"d": 1, "c": 2}, "a": [ ] })"),
            R"({"a":[],"b":{"c":2,"d":1}})");
}

TEST(Json, RefusesWhatIsNotJson) {
  EXPECT_EQ(parse_json("").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_json("{\"a\":1").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_json("{} x").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_json("\"\xff\"").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_json(R"({"a":1,"a":2})").error().message,
            "JSON: the key `a` is there twice: keep one of them");
  EXPECT_EQ(parse_json(std::string(97, '[')).error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace searchsync::model
