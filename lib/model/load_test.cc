#include "lib/model/load.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lib/model/example_resources.h"
#include "lib/model/pipeline.h"

namespace searchsync::model {
namespace {

// An API server sorts them: the index must be called the same there, and in a folder.
TEST(Load, NamesDoNotDependOnTheOrderOfKeys) {
  const auto name = [](const std::vector<NamedText>& texts) {
    const auto all = load_texts(texts).resources;
    return generation_index_name(all.indices.at(0), all.bindings).get();
  };
  EXPECT_EQ(name(example_texts()),
            name(spoiled("index.yaml", "      testName: {type: keyword}\n      bugId: {type: long}",
                         "      bugId: {type: long}\n      testName: {type: keyword}")));
}

TEST(Load, ReadsTheExample) {
  const Loaded loaded = load_texts(example_texts());
  EXPECT_EQ(to_string(loaded.faults), "");
  ASSERT_EQ(loaded.resources.indices.size(), 1U);
  ASSERT_EQ(loaded.resources.bindings.size(), 5U);
  const SearchIndexSpec& index = loaded.resources.indices[0].spec;
  EXPECT_EQ(index.index_name, "test-runs");
  EXPECT_EQ(index.elasticsearch.urls, std::vector<std::string>{"http://es:9200"});
  EXPECT_EQ(index.reindex, ReindexSpec{});
  EXPECT_TRUE(index.mappings.text.starts_with(R"({"dynamic":"strict","properties":{"bug":)"));

  const SourceBinding& root = loaded.resources.bindings[0];
  EXPECT_EQ(root.metadata, (ObjectMeta{"run", "default"}));
  EXPECT_EQ(std::get<PostgresSource>(root.spec.source),
            (PostgresSource{{"run-db"}, "public.runs", "capture.default.run-db"}));
  EXPECT_EQ(root.spec.fields[1], (FieldMapping{"details", "raw.details", FieldType::kJson}));

  const SourceBinding& lookup = loaded.resources.bindings[1];
  EXPECT_EQ(std::get<LookupRelation>(lookup.spec.relation),
            (LookupRelation{"root", {"bug_id"}, OnMissing::kNull}));
  const SourceBinding& link = loaded.resources.bindings[2];
  EXPECT_EQ(std::get<LinkRelation>(link.spec.relation),
            (LinkRelation{"root", {"a"}, {"b"}, "related"}));
  const SourceBinding& children = loaded.resources.bindings[3];
  EXPECT_EQ(
      std::get<ChildrenRelation>(children.spec.relation),
      (ChildrenRelation{"root",
                        {"run_id"},
                        "steps",
                        {{"position", Direction::kAscending}, {"at", Direction::kDescending}}}));
  const SourceBinding& second = loaded.resources.bindings[4];
  EXPECT_EQ(std::get<KafkaSource>(second.spec.source),
            (KafkaSource{"suites", RecordFormat::kJson}));
}

// One thing made wrong, and all that is said about it.
struct Case {
  std::string file;
  std::string from;
  std::string to;
  std::vector<std::string> faults;
};

void expect_faults(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const Loaded loaded = load_texts(spoiled(one.file, one.from, one.to));
    std::string expected;
    for (const std::string& fault : one.faults) expected += fault + "\n";
    const std::string found = loaded.faults.empty() ? "" : to_string(loaded.faults) + "\n";
    EXPECT_EQ(found, expected) << one.from << " -> " << one.to;
  }
}

TEST(Load, SaysWhatIsIllTyped) {
  const std::string lookup = "SourceBinding default/run-bug: ";
  expect_faults({
      {"lookup.yaml",
       "key: [id]",
       "key: id",
       {"lookup.yaml:8:8: " + lookup +
        "spec.key: expected a list; put the value in brackets, found the string \"id\""}},
      {"lookup.yaml",
       "key: [id]",
       "key: {}",
       {"lookup.yaml:8:8: " + lookup + "spec.key: expected a list, found an object"}},
      {"lookup.yaml",
       "key: [id]",
       "key: [5]",
       {"lookup.yaml:8:9: " + lookup +
        "spec.key[0]: expected a string, found the number 5: put it in quotes"}},
      {"lookup.yaml",
       "key: [id]",
       "key: [id, id]",
       {"lookup.yaml:8:13: " + lookup +
        "spec.key[1]: \"id\" is there twice, first as item 0: keep one of them"}},
      {"lookup.yaml",
       "maxDeadLetters: 1000",
       "maxDeadLetters: 10.5",
       {"lookup.yaml:17:48: " + lookup +
        "spec.errors.maxDeadLetters: expected an integer between 0 and 1000000000, found the "
        "number 10.5"}},
      {"lookup.yaml",
       "maxDeadLetters: 1000",
       "maxDeadLetters: -1",
       {"lookup.yaml:17:48: " + lookup +
        "spec.errors.maxDeadLetters: -1 is out of range: expected an integer between 0 and "
        "1000000000"}},
      {"lookup.yaml",
       "DeadLetter,",
       "dead-letter,",
       {"lookup.yaml:17:20: " + lookup +
        "spec.errors.policy: expected one of DeadLetter, Halt, found the string \"dead-letter\", "
        "did you mean `DeadLetter`?"}},
      {"lookup.yaml",
       "of: root",
       "of: Root",
       {"lookup.yaml:11:11: " + lookup +
        "spec.relation.lookup.of: expected a name of lowercase letters, digits and -, with a "
        "letter or digit at both ends, found the string \"Root\""}},
      {"lookup.yaml",
       "indexRef: {name: test-runs}",
       "indexRef: test-runs",
       {"lookup.yaml:6:13: " + lookup +
        "spec.indexRef: expected an object with name, found the string \"test-runs\""}},
      {"lookup.yaml",
       "table: public.bugs",
       "table: bugs",
       {"lookup.yaml:7:57: " + lookup +
        "spec.source.postgres.table: expected a table as schema.table, found the string \"bugs\""}},
  });
}

TEST(Load, SaysWhatIsIllTypedInAnIndex) {
  const std::string index = "SearchIndex default/test-runs: ";
  expect_faults({
      {"index.yaml",
       "  mappings:",
       "  suspend: yes\n  mappings:",
       {"index.yaml:10:12: " + index +
        "spec.suspend: expected true or false, found the string \"yes\""}},
      {"index.yaml",
       "urls: [\"http://es:9200\"]",
       "urls: []",
       {"index.yaml:7:11: " + index +
        "spec.elasticsearch.urls: has 0 items: expected between 1 and 32"}},
      {"index.yaml",
       "  mappings:",
       "  indexName: Test Runs\n  mappings:",
       {"index.yaml:10:14: " + index +
        R"(spec.indexName: expected an index name: no capitals, no spaces, none of \ / * ? " < > )"
        "| , # : and not starting with - _ + or a dot, found the string \"Test Runs\""}},
      {"index.yaml",
       "  mappings:",
       "  indexName: \"\"\n  mappings:",
       {"index.yaml:10:14: " + index + "spec.indexName: is empty: give it a value"}},
      {"index.yaml",
       "  mappings:",
       "  settings: analysis\n  mappings:",
       {"index.yaml:10:13: " + index +
        "spec.settings: expected an object, found the string \"analysis\""}},
  });
}

TEST(Load, ReadsCommands) {
  const auto load = [](const std::string& functions) {
    return load_texts(spoiled("index.yaml", "  mappings:",
                              "  query: {commands: {secretRef: {name: db}, functions: [" +
                                  functions + "]}}\n  mappings:"));
  };
  const Loaded loaded =
      load("{name: add, function: shop.Add_it, arguments: [{name: id, type: Integer}]}");
  EXPECT_EQ(to_string(loaded.faults), "");
  const CommandSpec& command = loaded.resources.indices.at(0).spec.query.commands->functions.at(0);
  EXPECT_EQ(command.function, "shop.Add_it");
  EXPECT_EQ(command.returns, CommandResult::kOne);
  EXPECT_EQ(command.arguments.at(0), (ArgumentSpec{"id", ArgumentType::kInteger}));
  for (const char* wrong : {
           "",
           "{name: add}",
           "{function: shop.add}",
           "{name: add, function: add}",
           "{name: add, function: a.b.c}",
           "{name: add, function: 'shop.add()'}",
           "{name: add, function: 'shop.\"add\"'}",
           "{name: 'a/b', function: shop.add}",
           "{name: add, function: shop.add, arguments: [{name: 'a) --'}]}",
           "{name: add, function: shop.add, arguments: [{name: a, type: Json, list: true}]}",
           "{name: add, function: shop.add, arguments: [{name: a}, {name: a}]}",
           "{name: add, function: shop.add}, {name: add, function: shop.add2}",
       }) {
    EXPECT_EQ(load(wrong).faults.size(), 1U) << wrong;
  }
}

TEST(Load, SaysWhatIsWrongWithDurations) {
  const auto at = [](const std::string& value, const std::string& fault) {
    return Case{
        "index.yaml",
        "  mappings:",
        "  reindex: {keepWarm: " + value + "}\n  mappings:",
        {"index.yaml:10:23: SearchIndex default/test-runs: spec.reindex.keepWarm: " + fault}};
  };
  const std::string expected =
      "expected a duration: a whole number and one of ms, s, m, h, d, such as 30s, found ";
  expect_faults({at("30", expected + "the number 30"),
                 at("1h30m", expected + "the string \"1h30m\""),
                 at("-5s", expected + "the string \"-5s\""), at("s", expected + "the string \"s\""),
                 at("1.5h", expected + "the string \"1.5h\""),
                 at("99999999999999999999s", expected + "the string \"99999999999999999999s\""),
                 at("1500ms", "1500ms is too fine: expected whole seconds"),
                 at("91d", "91d is out of range: expected between 0s and 90d")});
}

TEST(Load, SaysWhichFieldsAreUnknownOrMissing) {
  const std::string lookup = "SourceBinding default/run-bug: ";
  expect_faults({
      {"lookup.yaml",
       "indexRef:",
       "index_ref:",
       {"lookup.yaml:6:3: " + lookup + "spec.indexRef: is required: add it",
        "lookup.yaml:6:3: " + lookup +
            "spec.index_ref: unknown field `index_ref`, did you mean `indexRef`?"}},
      {"lookup.yaml",
       "  key: [id]\n",
       "",
       {"lookup.yaml:6:3: " + lookup + "spec.key: is required: add it"}},
      {"lookup.yaml",
       "      from: [bug_id]\n",
       "      from: [bug_id]\n      colour: red\n",
       {"lookup.yaml:13:7: " + lookup +
        "spec.relation.lookup.colour: unknown field `colour`; known are: of, from, onMissing"}},
      {"lookup.yaml",
       "to: bugId}",
       "}",
       {"lookup.yaml:15:7: " + lookup + "spec.fields[0].to: is required: add it"}},
      {"lookup.yaml",
       "to: bug.status",
       "to: bugId",
       {"lookup.yaml:16:7: " + lookup +
        "spec.fields[1]: to \"bugId\" is there twice, first as item 0: keep one of them"}},
      {"root.yaml",
       "relation: {root: {}}",
       "relation: {root: {}, lookup: {of: x, from: [y]}}",
       {"root.yaml:9:13: SourceBinding default/run: spec.relation: expected exactly one of root, "
        "lookup, children, link, found root and lookup: keep one of them"}},
      {"root.yaml",
       "relation: {root: {}}",
       "relation: {}",
       {"root.yaml:9:13: SourceBinding default/run: spec.relation: expected exactly one of root, "
        "lookup, children, link, found none: add one"}},
      {"root.yaml",
       "relation: {root: {}}",
       "relation: {child: {}}",
       {"root.yaml:9:14: SourceBinding default/run: spec.relation.child: unknown field `child`; "
        "known are: root, lookup, children, link"}},
      {"root.yaml",
       "relation: {root: {}}",
       "relation: root",
       {"root.yaml:9:13: SourceBinding default/run: spec.relation: expected an object with exactly "
        "one of root, lookup, children, link, found the string \"root\""}},
      {"root.yaml",
       "  name: run\n",
       "  name: run\n  lables: {}\n",
       {"root.yaml:5:3: SourceBinding default/run: metadata.lables: unknown field `lables`, did "
        "you mean `labels`?"}},
  });
}

TEST(Load, SaysWhatIsNoResource) {
  expect_faults({
      {"lookup.yaml",
       "kind: SourceBinding",
       "kind: SourceBindings",
       {"lookup.yaml:2:7: SourceBindings default/run-bug: kind: expected SearchIndex or "
        "SourceBinding of searchsync.io/v1alpha1, found the string \"SourceBindings\", did you "
        "mean `SourceBinding`?"}},
      {"lookup.yaml",
       "kind: SourceBinding",
       "kind: Secret",
       {"lookup.yaml:2:7: Secret default/run-bug: kind: expected SearchIndex or SourceBinding of "
        "searchsync.io/v1alpha1, found the string \"Secret\"; keep other resources in another "
        "folder"}},
      {"lookup.yaml",
       "kind: SourceBinding\n",
       "",
       {"lookup.yaml:1:1: kind: is required: add it, as SearchIndex or SourceBinding of "
        "searchsync.io/v1alpha1"}},
      {"lookup.yaml",
       "v1alpha1",
       "v1",
       {"lookup.yaml:1:13: SourceBinding default/run-bug: apiVersion: expected "
        "`searchsync.io/v1alpha1`, found the string \"searchsync.io/v1\""}},
      {"lookup.yaml",
       "  name: run-bug\n",
       "  namespace: default\n",
       {"lookup.yaml:4:3: metadata.name: is required: add it"}},
      {"lookup.yaml",
       "  name: run-bug\n",
       "  name: run_bug\n",
       {"lookup.yaml:4:9: SourceBinding default/run_bug: metadata.name: expected a name of "
        "lowercase letters, digits and -, with a letter or digit at both ends, found the string "
        "\"run_bug\"",
        "second.yaml:11:11: SourceBinding default/run-suite: spec.relation.lookup.of: there is no "
        "SourceBinding default/run-bug"}},
      {"second.yaml",
       "  name: run-suite\n",
       "  name: run-bug\n",
       {"second.yaml:4:9: SourceBinding default/run-bug: metadata.name: is there twice, first in "
        "lookup.yaml:1: keep one of them or rename it"}},
      {"second.yaml",
       "spec:\n",
       "---\n- 5\n---\nspec:\n",
       {"second.yaml:1:1: SourceBinding default/run-suite: spec: is required: add it",
        "second.yaml:6:1: expected a resource, an object with apiVersion, kind, metadata and spec; "
        "found a list",
        "second.yaml:8:1: kind: is required: add it, as SearchIndex or SourceBinding of "
        "searchsync.io/v1alpha1"}},
  });
}

TEST(Load, AcceptsWhatKubernetesAdds) {
  const auto texts = spoiled("root.yaml", "  name: run\n",
                             "  name: run\n  uid: x\n  labels: {a: b}\n  managedFields: [{}]\n");
  EXPECT_EQ(to_string(load_texts(texts).faults), "");
  const auto with_status = spoiled("root.yaml", "spec:\n", "status: {ready: true}\nspec:\n");
  EXPECT_EQ(to_string(load_texts(with_status).faults), "");
}

TEST(Load, DoesNotBlameOthersForWhatCouldNotBeRead) {
  const Loaded loaded = load_texts(spoiled("index.yaml", "    dynamic: strict", "    dynamic: [1"));
  EXPECT_EQ(loaded.faults.size(), 1U) << to_string(loaded.faults);
  EXPECT_EQ(loaded.faults[0].file, "index.yaml");
}

TEST(Load, ReturnsAllFaultsOfAllFilesInOrder) {
  std::vector<NamedText> texts = example_texts();
  texts[2].text.replace(texts[2].text.find("key: [id]"), 9, "key: []  ");
  texts[2].text.replace(texts[2].text.find("DeadLetter,"), 11, "Panic,     ");
  texts[4].text.replace(texts[4].text.find("into: steps"), 11, "into: a b  ");
  const Loaded loaded = load_texts(texts);
  ASSERT_EQ(loaded.faults.size(), 3U) << to_string(loaded.faults);
  EXPECT_EQ(loaded.faults[0].file, "children.yaml");
  EXPECT_EQ(loaded.faults[1].line, 8);
  EXPECT_EQ(loaded.faults[2].line, 17);
  EXPECT_EQ(loaded.resources.bindings.size(), 3U);
}

class LoadDirectory : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "model_test_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, std::string_view text) {
    std::filesystem::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << text;
  }

  std::filesystem::path directory_;
};

TEST_F(LoadDirectory, ReadsItsYamlFilesOnly) {
  write("b.yaml", kIndexYaml);
  write("a.yml", kRootYaml);
  write("notes.txt", "no resource");
  write(".hidden.yaml", "no resource");
  write("secrets/run-db/uri.yaml", "no resource");
  write("folder.yaml/x", "no resource");
  const Loaded loaded = load_directory(directory_);
  EXPECT_EQ(to_string(loaded.faults), "");
  EXPECT_EQ(loaded.resources.indices.size(), 1U);
  EXPECT_EQ(loaded.resources.bindings.size(), 1U);
}

TEST_F(LoadDirectory, ReadsOneFile) {
  write("all.yaml", std::string(kIndexYaml) + "---\n" + std::string(kRootYaml));
  EXPECT_EQ(to_string(load_directory(directory_ / "all.yaml").faults), "");
}

TEST_F(LoadDirectory, SaysWhatCannotBeRead) {
  const std::string missing = directory_ / "missing";
  EXPECT_EQ(to_string(load_directory(missing).faults),
            missing + ": the folder cannot be read: No such file or directory");
  std::filesystem::create_symlink("nowhere", directory_ / "a.yaml");
  EXPECT_EQ(
      to_string(load_directory(directory_).faults),
      (directory_ / "a.yaml").string() + ": cannot be read: check that it exists and may be read");
}

}  // namespace
}  // namespace searchsync::model
