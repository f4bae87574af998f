#include "lib/model/crd.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "lib/model/crd_schema.h"
#include "lib/model/crd_yaml.h"
#include "lib/model/draw_resources.h"
#include "lib/model/resource_schema.h"
#include "lib/model/schema_builder.h"
#include "lib/model/yaml.h"

namespace searchsync::model {
namespace {

std::string schema_of(const Type* type, Defaults defaults = Defaults::kFilled) {
  return write_yaml(open_api_schema(*type, defaults));
}

struct Inner {
  int32_t count = 3;
  std::vector<std::string> names;
  friend bool operator==(const Inner&, const Inner&) = default;
};

enum class Mode { kFast, kSafe };

struct Outer {
  std::string name;
  Inner inner;
  std::optional<Inner> extra;
  Mode mode = Mode::kSafe;
};

const auto count_type = [](Schema& schema) { return integer_type<int32_t>(schema, {1, 9}); };

Typed<Inner> inner_type(Schema& schema) {
  return ObjectBuilder<Inner>(schema, "Inner", "Things.")
      .field("count", &Inner::count, count_type(schema), "How many.")
      .field("names", &Inner::names,
             list_type(schema, string_type(schema, {1, 8}, Pattern{"[a-z]+", "a name"}), {0, 4}),
             "Which.")
      .rule({.cel = "self.names.size() <= self.count", .message = "too many", .path = "names"},
            [](const Inner& inner) { return std::cmp_less_equal(inner.names.size(), inner.count); })
      .build();
}

TEST(CrdSchema, ScalarsHaveTheirBounds) {
  Schema schema;
  const auto kind = enum_type<Mode>(
      schema, "Mode", {{Mode::kFast, "Fast", "It may fail."}, {Mode::kSafe, "Safe", "Slowly."}});
  const struct {
    const Type* type;
    std::string expected;
  } kCases[] = {
      {boolean_type(schema).type, "type: boolean\n"},
      {count_type(schema).type, "type: integer\nminimum: 1\nmaximum: 9\n"},
      {integer_type<int64_t>(schema, {0, std::numeric_limits<int64_t>::max()}).type,
       "type: integer\nminimum: 0\n"},
      {time_type(schema).type, "type: string\nformat: date-time\n"},
      {kind.type,
       "description: |-\n  - Fast: It may fail.\n  - Safe: Slowly.\n"
       "type: string\nenum: [Fast, Safe]\n"},
      {string_type(schema, {0, 8}, Pattern{"[a-z]*", "a name"}).type,
       "description: A name.\ntype: string\nmaxLength: 8\npattern: ^[a-z]*$\n"
       "x-kubernetes-validations:\n"
       "  - rule: self.matches(r'^[a-z]*$')\n    message: expected a name\n"},
      {string_type(schema, {1, 8}, Pattern{"a|b", "a or b"}, {{"self != 'b'", "not b", ""}}).type,
       "description: A or b.\ntype: string\nminLength: 1\nmaxLength: 8\npattern: ^(a|b)$\n"
       "x-kubernetes-validations:\n"
       "  - rule: self.matches(r'^(a|b)$')\n    message: expected a or b\n"
       "  - rule: self != 'b'\n    message: not b\n"},
      // In characters there may be more bytes.
      {string_type(schema, {1, 8}).type,
       "type: string\nminLength: 1\nmaxLength: 8\nx-kubernetes-validations:\n"
       "  - rule: bytes(self).size() <= 8\n    message: 'is longer than 8 bytes: shorten it'\n"},
      {json_object_type(schema).type, "type: object\nx-kubernetes-preserve-unknown-fields: true\n"},
      {json_object_type(schema, {"properties"}).type,
       "type: object\nproperties:\n  properties:\n    type: object\n"
       "    x-kubernetes-preserve-unknown-fields: true\n"
       "x-kubernetes-preserve-unknown-fields: true\n"},
  };
  for (const auto& [type, expected] : kCases) EXPECT_EQ(schema_of(type), expected);
}

TEST(CrdSchema, DurationsHaveTheirBoundsInARule) {
  Schema schema;
  const auto has = [](const Type* type, std::string_view part) {
    return to_json(open_api_schema(*type, Defaults::kFilled)).find(part) != std::string::npos;
  };
  const auto seconds = duration_type<std::chrono::seconds>(schema, {0, 60'000}).type;
  EXPECT_TRUE(has(seconds, R"("pattern":"^[0-9]{1,11}(ms|s|m|h|d)$")"));
  EXPECT_TRUE(has(seconds, ".all(ms, ms >= 0 && ms <= 60000 && ms % 1000 == 0)"));
  EXPECT_TRUE(has(seconds, "expected a duration from 0s to 1m"));
  const auto fine = duration_type<std::chrono::milliseconds>(schema, {5, 60'000}).type;
  EXPECT_TRUE(has(fine, ".all(ms, ms >= 5 && ms <= 60000)"));
}

TEST(CrdSchema, ListsSayWhatMayBeThereTwice) {
  Schema schema;
  const auto item = count_type(schema);
  const auto object = inner_type(schema);
  const struct {
    const Type* type;
    std::string expected;
  } kCases[] = {
      {list_type(schema, item, {1, 4}).type, "x-kubernetes-list-type: atomic\n"},
      {list_type(schema, item, {1, 4}, {.unique = Unique::kItems}).type,
       "x-kubernetes-list-type: set\n"},
      {list_type(schema, object, {1, 4}, {.unique = Unique::kKey, .key = "count"}).type,
       "x-kubernetes-list-type: map\nx-kubernetes-list-map-keys: [count]\n"},
      {list_type(schema, item, {1, 4}, {.unique = Unique::kItems, .order = Order::kMeant}).type,
       "x-kubernetes-list-type: atomic\nx-kubernetes-validations:\n"
       "  - rule: self.all(x, self.exists_one(y, y == x))\n"
       "    message: 'has an item twice: keep one of them'\n"},
  };
  for (const auto& [type, expected] : kCases) {
    const std::string text = schema_of(type);
    EXPECT_TRUE(text.ends_with(expected)) << text;
    EXPECT_NE(text.find("minItems: 1\nmaxItems: 4\n"), text.npos) << text;
  }
}

Typed<Outer> outer_type(Schema& schema) {
  const auto mode =
      enum_type<Mode>(schema, "Mode", {{Mode::kFast, "Fast", "F."}, {Mode::kSafe, "Safe", "S."}});
  return ObjectBuilder<Outer>(schema, "Outer", "An object.")
      .field("name", &Outer::name, string_type(schema, {1, 8}, Pattern{"[a-z]+", "a name"}), "Who.",
             {.presence = Presence::kRequired, .mutability = Mutability::kImmutable})
      .field("inner", &Outer::inner, inner_type(schema), "By default.")
      .field("extra", &Outer::extra, inner_type(schema), "On demand.")
      .field("mode", &Outer::mode, mode, "How.")
      .build();
}

Node member(const Node& node, std::initializer_list<std::string_view> path) {
  const Node* at = &node;
  for (const std::string_view key : path) {
    at = at->find(key);
    if (at == nullptr) return {};
  }
  return *at;
}

TEST(CrdSchema, DefaultsAreThoseOfTheParserAndNeverOfWhatMayBeAbsent) {
  Schema schema;
  const Node node = open_api_schema(*outer_type(schema).type, Defaults::kFilled);
  const auto json = [&](auto... path) { return to_json(member(node, {path...})); };
  EXPECT_EQ(json("required"), R"(["name"])");
  EXPECT_EQ(json("properties", "inner", "default"), "{}");
  EXPECT_EQ(json("properties", "inner", "properties", "count", "default"), "3");
  EXPECT_EQ(json("properties", "mode", "default"), R"("Safe")");
  // An empty list says no more than none, and what is absent has a meaning.
  EXPECT_EQ(json("properties", "inner", "properties", "names", "default"), "null");
  EXPECT_EQ(json("properties", "extra", "default"), "null");
  EXPECT_EQ(schema_of(outer_type(schema).type, Defaults::kLeftOut).find("default:"),
            std::string::npos);
}

TEST(CrdSchema, ImmutableFieldsAndRulesAreOfTheirFields) {
  Schema schema;
  const Node node = open_api_schema(*outer_type(schema).type, Defaults::kFilled);
  const Node name = member(node, {"properties", "name", "x-kubernetes-validations"});
  EXPECT_NE(to_json(name).find(R"({"rule":"self == oldSelf","message":"cannot be changed: )"),
            std::string::npos);
  EXPECT_EQ(to_json(member(node, {"properties", "inner", "x-kubernetes-validations"})),
            R"([{"rule":"self.names.size() <= self.count","message":"too many",)"
            R"("fieldPath":".names"}])");
}

TEST(CrdSchema, RulesHoldForTheParserToo) {
  Schema schema;
  const auto type = outer_type(schema);
  const auto read = [&](const char* json) { return parse_json_as(type, json); };
  EXPECT_TRUE(read(R"({"name":"a","inner":{"count":1,"names":["x"]}})").has_value());
  EXPECT_EQ(read(R"({"name":"a","inner":{"count":1,"names":["x","y"]}})").error().message,
            "inner.names: too many");
  // Of what is not well-formed no more is said.
  EXPECT_EQ(read(R"({"name":"a","inner":{"count":1,"names":["x","Y"]}})").error().message,
            R"(inner.names[1]: expected a name, found the string "Y")");
}

TEST(CrdYaml, ReadsAsWhatWasWritten) {
  Draw draw(7);
  const std::vector<std::string> odd = {
      "",    " a",   "a ", "a  b", "~",    "null", "True", "yes",       "off", "n",      "5",
      "1e3", "0x1",  "-",  "- a",  "a: b", "a:",   "a #b", "#a",        "'",   "it's",   "\"",
      "\\",  "a\nb", "\n", "a\n",  "\na",  "\t",   "a\tb", "ü…",        "{a}", "[a]",    "!a",
      "&a",  "*a",   "%a", "@a",   "`a`",  ".5",   ".inf", "<<",        "=",   "a\n\nb", "a\n b",
      "|",   ">",    "?",  "? a",  "a, b", "1:30", "::",   "2026-01-31"};
  for (int round = 0; round < 300; ++round) {
    const auto word = [&] {
      return draw.coin() ? draw.name() : odd[static_cast<size_t>(draw.number(0, 51))];
    };
    const auto words = [&] {
      std::string out = word();
      for (int64_t count = draw.number(0, 40); count > 0; --count) out += " " + word();
      return out;
    };
    const Node written{
        .value =
            Node::Mapping{
                {"short", {}, {.value = word(), .position = {}}},
                {"long", {}, {.value = words(), .position = {}}},
                {word() + "1", {}, {.value = draw.number(-9, 9), .position = {}}},
                {"none", {}, {.value = Node::Sequence{}, .position = {}}},
                {"empty", {}, {.value = Node::Mapping{}, .position = {}}},
                {"list",
                 {},
                 {.value =
                      Node::Sequence{
                          {.value = word(), .position = {}},
                          {.value = words(), .position = {}},
                          {.value = Node::Mapping{{"a", {}, {.value = words(), .position = {}}},
                                                  {"b", {}, {.value = true, .position = {}}}},
                           .position = {}},
                          {.value = Node::Sequence{{.value = word(), .position = {}}},
                           .position = {}}},
                  .position = {}}}},
        .position = {}};
    const std::string text = write_yaml(written);
    const YamlFile read = parse_yaml("", text);
    ASSERT_TRUE(read.faults.empty()) << to_string(read.faults) << "\n" << text;
    ASSERT_EQ(read.documents.size(), 1U);
    ASSERT_EQ(to_json(read.documents[0]), to_json(written)) << text;
  }
}

// To bring the files up to date: UPDATE_GOLDEN=1 ctest -R model_test
TEST(Crds, FilesAreUpToDate) {
  for (const Crd& crd : render_crds()) {
    const std::string path = "crds/" + crd.file;
    if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << crd.text;
    std::ifstream file(path);
    std::ostringstream found;
    found << file.rdbuf();
    EXPECT_EQ(found.str(), crd.text)
        << path
        << " is not what lib/model/*_schema.cc says; write it anew with UPDATE_GOLDEN=1 ctest -R "
           "model_test";
  }
}

// The next two are e2e/crd_test.py's, which asks a real API server about the same objects. They
// are in files, one to a line.

TEST(CrdContract, DrawsObjects) {
  const char* path = std::getenv("SEARCHSYNC_TEST_DRAWN");
  if (path == nullptr) GTEST_SKIP() << "SEARCHSYNC_TEST_DRAWN names no file to write";
  std::ofstream file(path);
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Draw draw(seed);
    file << to_json(draw.index()) << "\n" << to_json(draw.binding()) << "\n";
  }
}

// Each object as it is read, with all defaults; a string is what the parser finds wrong with it.
TEST(CrdContract, ReadsObjects) {
  const char* path = std::getenv("SEARCHSYNC_TEST_OBJECTS");
  if (path == nullptr) GTEST_SKIP() << "SEARCHSYNC_TEST_OBJECTS names no file to read";
  std::ifstream objects(path);
  std::ofstream read(std::string(path) + ".read");
  const auto write = [&](const auto& parsed) {
    read << (parsed ? to_json(*parsed)
                    : to_json(Node{.value = parsed.error().message, .position = {}}))
         << "\n";
  };
  for (std::string line; std::getline(objects, line);) {
    if (line.find(R"("kind": "SearchIndex")") != line.npos) {
      write(parse_search_index(line));
    } else {
      write(parse_source_binding(line));
    }
  }
}

}  // namespace
}  // namespace searchsync::model
