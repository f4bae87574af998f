#include "lib/model/validate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/model/example_resources.h"
#include "lib/model/resource_schema.h"

namespace searchsync::model {
namespace {

// One thing made wrong, and the one thing that is said about it.
struct Case {
  std::string file;
  std::string from;
  std::string to;
  std::string fault;
};

void expect_fault(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const Loaded loaded = load_texts(spoiled(one.file, one.from, one.to));
    EXPECT_EQ(to_string(loaded.faults), one.fault) << one.from << " -> " << one.to;
  }
}

TEST(Validate, References) {
  expect_fault({
      {"lookup.yaml", "indexRef: {name: test-runs}", "indexRef: {name: test-run}",
       "lookup.yaml:6:20: SourceBinding default/run-bug: spec.indexRef.name: there is no "
       "SearchIndex default/test-run, did you mean `test-runs`?\n"
       "second.yaml:11:11: SourceBinding default/run-suite: spec.relation.lookup.of: SourceBinding "
       "default/run-bug belongs to another index"},
      {"link.yaml", "  name: run-related\n", "  name: run-related\n  namespace: other\n",
       "link.yaml:7:20: SourceBinding other/run-related: spec.indexRef.name: there is no "
       "SearchIndex other/test-runs"},
      {"second.yaml", "of: run-bug", "of: run-bugs",
       "second.yaml:11:11: SourceBinding default/run-suite: spec.relation.lookup.of: there is no "
       "SourceBinding default/run-bugs, did you mean `run-bug`?"},
      {"second.yaml", "of: run-bug", "of: run-suite",
       "second.yaml:11:11: SourceBinding default/run-suite: spec.relation.lookup.of: a lookup "
       "cannot be of itself: name the binding that refers to it"},
      {"lookup.yaml", "of: root", "of: run-suite",
       "lookup.yaml:11:11: SourceBinding default/run-bug: spec.relation.lookup.of: following `of` "
       "from `run-suite` leads back here: one of them must be of root, of children or of a link\n"
       "second.yaml:11:11: SourceBinding default/run-suite: spec.relation.lookup.of: following "
       "`of` from `run-bug` leads back here: one of them must be of root, of children or of a "
       "link"},
      {"children.yaml", "from: [run_id]", "of: run-bug\n      from: [run_id]",
       "children.yaml:11:11: SourceBinding default/run-steps: spec.relation.children.of: `run-bug` "
       "is not the root: only a root has these, write `root`"},
      {"link.yaml", "near: [a]", "of: nobody\n      near: [a]",
       "link.yaml:11:11: SourceBinding default/run-related: spec.relation.link.of: there is no "
       "SourceBinding default/nobody"},
      {"children.yaml", "from: [run_id]", "of: run\n      from: [run_id]", ""},
      {"second.yaml", "of: run-bug", "of: run", ""},
      {"children.yaml", "name: run-steps", "name: root",
       "children.yaml:4:9: SourceBinding default/root: metadata.name: `root` means the root "
       "binding wherever a binding is named: choose another name"},
  });
}

TEST(Validate, Roots) {
  expect_fault({
      {"link.yaml",
       "    link:\n      near: [a]\n      far: [b]\n      into: related\n  fields: [{from: why, "
       "to: why}, {from: far.test_name, to: otherName}]",
       "    root: {}",
       "link.yaml:10:11: SourceBinding default/run-related: spec.relation.root: SourceBinding "
       "default/run is the root of this index already: make this a lookup, children or link"},
      {"root.yaml", "relation: {root: {}}", "relation: {lookup: {of: run-steps, from: [run_id]}}",
       "index.yaml:1:1: SearchIndex default/test-runs: none of its bindings has the relation root: "
       "exactly one must\n"
       "root.yaml:11:29: SourceBinding default/run: spec.fields[0].to: the mappings are strict and "
       "have no field `testName`: add it to spec.mappings of the index, or correct the name\n"
       "root.yaml:12:27: SourceBinding default/run: spec.fields[1].to: the mappings are strict and "
       "have no field `raw.details`: add it to spec.mappings of the index, or correct the name"},
  });
  const Loaded alone = load_texts({{"index.yaml", std::string(kIndexYaml)}});
  EXPECT_EQ(to_string(alone.faults),
            "index.yaml:1:1: SearchIndex default/test-runs: no SourceBinding refers to it: add one "
            "whose relation is root");
}

TEST(Validate, KeyLengths) {
  expect_fault({
      {"lookup.yaml", "from: [bug_id]", "from: [bug_id, x]",
       "lookup.yaml:12:13: SourceBinding default/run-bug: spec.relation.lookup.from: has 2 columns "
       "and spec.key has 1: name one column of `root` for each column of the key"},
      {"children.yaml", "from: [run_id]", "from: [a, b]",
       "children.yaml:11:13: SourceBinding default/run-steps: spec.relation.children.from: has 2 "
       "columns and the key of the root, SourceBinding default/run, has 1: name one column for "
       "each"},
      {"link.yaml", "near: [a]", "near: [a, b]",
       "link.yaml:11:13: SourceBinding default/run-related: spec.relation.link.near: has 2 columns "
       "and the key of the root, SourceBinding default/run, has 1: name one column for each"},
      {"link.yaml", "far: [b]", "far: [a, b]",
       "link.yaml:12:12: SourceBinding default/run-related: spec.relation.link.far: has 2 columns "
       "and the key of the root, SourceBinding default/run, has 1: name one column for each"},
      {"link.yaml", "far.test_name", "far.",
       "link.yaml:14:41: SourceBinding default/run-related: spec.fields[1].from: expected a column "
       "of the other root row after `far.`"},
  });
}

TEST(Validate, FieldsThatCollide) {
  expect_fault({
      {"lookup.yaml", "to: bugId", "to: testName",
       "lookup.yaml:15:22: SourceBinding default/run-bug: spec.fields[0].to: `testName` is also "
       "written by SourceBinding default/run (spec.fields[0].to): choose another name for one of "
       "them"},
      {"second.yaml", "to: suite", "to: raw.details.suite",
       "second.yaml:14:29: SourceBinding default/run-suite: spec.fields[0].to: `raw.details.suite` "
       "needs an object at `raw.details`, where SourceBinding default/run (spec.fields[1].to) "
       "writes a value: choose another name for one of them"},
      {"second.yaml", "to: suite", "to: raw",
       "second.yaml:14:29: SourceBinding default/run-suite: spec.fields[0].to: `raw` is an object, "
       "because SourceBinding default/run (spec.fields[1].to) writes `raw.details` in it: choose "
       "another name for one of them"},
      {"link.yaml", "into: related", "into: steps",
       "children.yaml:12:13: SourceBinding default/run-steps: spec.relation.children.into: `steps` "
       "is also written by SourceBinding default/run-related (spec.relation.link.into): choose "
       "another name for one of them\n"
       "link.yaml:14:28: SourceBinding default/run-related: spec.fields[0].to: the mappings are "
       "strict and have no field `why`: add it to spec.mappings of the index, or correct the name\n"
       "link.yaml:14:60: SourceBinding default/run-related: spec.fields[1].to: the mappings are "
       "strict and have no field `otherName`: add it to spec.mappings of the index, or correct the "
       "name"},
      {"second.yaml", "of: run-bug", "of: run-steps",
       "second.yaml:14:29: SourceBinding default/run-suite: spec.fields[0].to: the mappings are "
       "strict and have no field `suite`: add it to spec.mappings of the index, or correct the "
       "name"},
      {"second.yaml", "to: suite", "to: _id",
       "second.yaml:14:29: SourceBinding default/run-suite: spec.fields[0].to: `_id` is a name "
       "that Elasticsearch keeps for itself: choose another\n"
       "second.yaml:14:29: SourceBinding default/run-suite: spec.fields[0].to: the mappings are "
       "strict and have no field `_id`: add it to spec.mappings of the index, or correct the name"},
  });
}

TEST(Validate, StrictMappings) {
  const std::string strict = "the mappings are strict and have no field ";
  const std::string hint = ": add it to spec.mappings of the index, or correct the name";
  expect_fault({
      {"second.yaml", "to: suite", "to: suit",
       "second.yaml:14:29: SourceBinding default/run-suite: spec.fields[0].to: " + strict +
           "`suit`" + hint + ", did you mean `suite`?"},
      {"lookup.yaml", "to: bug.status", "to: bug.state",
       "lookup.yaml:16:26: SourceBinding default/run-bug: spec.fields[1].to: " + strict +
           "`bug.state`" + hint + ", did you mean `status`?"},
      {"children.yaml", "into: steps", "into: step",
       "children.yaml:12:13: SourceBinding default/run-steps: spec.relation.children.into: " +
           strict + "`step`" + hint + ", did you mean `steps`?"},
      {"children.yaml", "to: title", "to: titel",
       "children.yaml:14:30: SourceBinding default/run-steps: spec.fields[0].to: " + strict +
           "`titel`" + hint + ", did you mean `title`?"},
      {"lookup.yaml", "to: bug.status", "to: testName.status",
       "lookup.yaml:16:26: SourceBinding default/run-bug: spec.fields[1].to: `testName.status` "
       "needs an object at `testName`, where SourceBinding default/run (spec.fields[0].to) writes "
       "a value: choose another name for one of them\n"
       "lookup.yaml:16:26: SourceBinding default/run-bug: spec.fields[1].to: `testName.status` "
       "needs an object where the mappings have a keyword"},
      {"children.yaml", "into: steps", "into: suite",
       "children.yaml:12:13: SourceBinding default/run-steps: spec.relation.children.into: `suite` "
       "is also written by SourceBinding default/run-suite (spec.fields[0].to): choose another "
       "name for one of them\n"
       "children.yaml:12:13: SourceBinding default/run-steps: spec.relation.children.into: `suite` "
       "is an array of objects, and the mappings have a keyword: make it nested"},
  });
}

// Without strict mappings Elasticsearch adds what it does not know, but cannot turn one type into
// another.
TEST(Validate, DynamicMappings) {
  std::vector<NamedText> texts = spoiled("second.yaml", "to: suite", "to: anything.at.all");
  const auto with_dynamic = [&](const std::string& dynamic) {
    std::vector<NamedText> changed = texts;
    changed[0].text.replace(changed[0].text.find("dynamic: strict"), 15, "dynamic: " + dynamic);
    return to_string(load_texts(changed).faults);
  };
  EXPECT_EQ(with_dynamic("false"), "");
  EXPECT_EQ(with_dynamic("true"), "");
  EXPECT_EQ(with_dynamic("runtime"), "");
  EXPECT_NE(with_dynamic("strict"), "");
  texts = spoiled("lookup.yaml", "to: bug.status", "to: bug");
  EXPECT_EQ(
      with_dynamic("false"),
      "lookup.yaml:16:26: SourceBinding default/run-bug: spec.fields[1].to: `bug` is a value, and "
      "the mappings have an object: map it as a keyword or the like, or give the field the type "
      "Json");
  // An inner object says for itself.
  texts = spoiled("lookup.yaml", "to: bug.status", "to: bug.state");
  texts[0].text.replace(texts[0].text.find("      bug:\n"), 11,
                        "      bug:\n        dynamic: true\n");
  EXPECT_EQ(with_dynamic("strict"), "");
}

TEST(Validate, Addresses) {
  const auto url = [](const std::string& value, const std::string& message) {
    return Case{"index.yaml", "\"http://es:9200\"", value,
                message.empty() ? ""
                                : "index.yaml:7:12: SearchIndex default/test-runs: "
                                  "spec.elasticsearch.urls[0]: " +
                                      message};
  };
  const std::string expected = "expected a URL as http://host:9200 or https://host:9200";
  expect_fault({
      url("\"https://es.example.com/prefix\"", ""),
      url("\"http://[::1]:9200\"", ""),
      url("es:9200", expected),
      url("\"ftp://es:9200\"", expected),
      url("\"http://\"", expected),
      url("\"http://es:port\"", expected),
      url("\"http://es:99999\"", expected),
      url("\"http://es:9200/?a=b\"", expected + ", without spaces, ? and #"),
      url("\"http://user:secret@es:9200\"",
          "holds credentials: put them into a secret and name it in credentialsSecretRef"),
      {"index.yaml", "kafka:9092", "kafka",
       "index.yaml:9:24: SearchIndex default/test-runs: spec.kafka.bootstrapServers[0]: expected a "
       "broker as host:port, such as kafka:9092"},
  });
}

TEST(Validate, OneIndexName) {
  std::vector<NamedText> texts = example_texts();
  std::string second(kIndexYaml);
  second.replace(second.find("name: test-runs"), 15, "name: other");
  second.replace(second.find("http://es:9200"), 14, "http://ES:9200/");
  second.replace(second.find("spec:\n"), 6, "spec:\n  indexName: test-runs\n");
  std::string root(kRootYaml);
  root.replace(root.find("name: run\n"), 10, "name: other\n");
  root.replace(root.find("indexRef: {name: test-runs}"), 27, "indexRef: {name: other}");
  texts.push_back({"other.yaml", second});
  texts.push_back({"other-root.yaml", root});
  EXPECT_EQ(to_string(load_texts(texts).faults),
            "index.yaml:6:3: SearchIndex default/test-runs: spec.indexName: `test-runs` at "
            "http://es:9200 is already the index of SearchIndex default/other: choose another "
            "indexName");
}

TEST(Validate, OneCaptureOfATable) {
  expect_fault({
      {"link.yaml", "{secretRef: {name: run-db}, table: public.related}",
       "{secretRef: {name: run-db}, table: public.runs, topicPrefix: x}",
       "link.yaml:7:83: SourceBinding default/run-related: spec.source.postgres.topicPrefix: "
       "SourceBinding default/run captures the same table with the prefix "
       "`capture.default.run-db`: use the same"},
  });
}

// What comes from Kubernetes has no places; its faults have the object and the path.
TEST(Validate, WorksWithoutOrigins) {
  Loaded loaded = load_texts(example_texts());
  std::get<LookupRelation>(loaded.resources.bindings[1].spec.relation).of = "nobody";
  const std::vector<Fault> faults = validate(loaded.resources, Origins{});
  ASSERT_EQ(faults.size(), 1U) << to_string(faults);
  EXPECT_EQ(to_string(faults[0]),
            "SourceBinding default/run-bug: spec.relation.lookup.of: there is no SourceBinding "
            "default/nobody");
}

TEST(Validate, RelationsLeadToIndicesAtTheSameEngine) {
  SearchIndex users;
  users.metadata.name = "users";
  users.spec.elasticsearch.urls = {"http://es:9200"};
  users.spec.query.relations = {{"orders", "orders", "id", "userId"}};
  SearchIndex orders = users;
  orders.metadata.name = "orders";
  orders.spec.query.relations.clear();
  const auto faults = [](std::vector<SearchIndex> indices) {
    return validate_relations({.indices = std::move(indices), .bindings = {}}, {});
  };
  EXPECT_TRUE(faults({users, orders}).empty());
  ASSERT_EQ(faults({users}).size(), 1u);
  EXPECT_EQ(faults({users})[0].path, "spec.query.relations[0].index");
  EXPECT_EQ(faults({users})[0].message, "there is no SearchIndex default/orders");
  SearchIndex elsewhere = orders;
  elsewhere.metadata.namespace_ = "other";
  EXPECT_EQ(faults({users, elsewhere}).size(), 1u);
  orders.spec.elasticsearch.urls = {"http://other:9200"};
  ASSERT_EQ(faults({users, orders}).size(), 1u);
  EXPECT_NE(faults({users, orders})[0].message.find("another spec.elasticsearch"),
            std::string::npos);
}

}  // namespace
}  // namespace searchsync::model
