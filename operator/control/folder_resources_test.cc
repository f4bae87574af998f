#include "operator/control/folder_resources.h"

#include <gtest/gtest.h>

#include "operator/control/notes_file.h"

namespace searchsync::control {
namespace {

constexpr const char* kIndex = R"(
apiVersion: searchsync.io/v1alpha1
kind: SearchIndex
metadata: {name: runs}
spec:
  elasticsearch: {urls: ["http://localhost:9200"]}
  kafka: {bootstrapServers: ["localhost:9092"]}
  indexName: runs
  mappings: {properties: {name: {type: keyword}}}
---
apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {name: run}
spec:
  indexRef: {name: runs}
  source: {kafka: {topic: runs, format: Json}}
  key: [id]
  relation: {root: {}}
  fields: [{from: name, to: name}]
)";

class FolderResourcesTest : public testing::Test {
 protected:
  FolderResourcesTest() : directory_(std::filesystem::path(testing::TempDir()) / "resources") {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  void write(const std::string& text) { ASSERT_TRUE(write_file(directory_ / "a.yaml", text)); }

  const std::filesystem::path directory_;
};

TEST_F(FolderResourcesTest, AWrongEditChangesNothing) {
  write(kIndex);
  FolderResources resources(directory_);
  EXPECT_FALSE(resources.known());
  ASSERT_TRUE(resources.look()) << model::to_string(resources.faults());
  EXPECT_EQ(resources.resources().indices.size(), 1u);
  const auto before = resources.resources();
  write(std::string(kIndex) + "  nonsense: 1\n");
  EXPECT_FALSE(resources.look());
  EXPECT_FALSE(resources.look());
  EXPECT_FALSE(resources.faults().empty());
  EXPECT_EQ(resources.resources(), before);
  write(kIndex);
  EXPECT_FALSE(resources.look());
  EXPECT_TRUE(resources.faults().empty());
}

TEST_F(FolderResourcesTest, WhatCannotBeAskedIsWrongToo) {
  std::string text = kIndex;
  text.insert(text.find("---"),
              "  query: {screeners: [{name: mine, filter: {exists: {field: x}}}]}\n");
  write(text);
  FolderResources resources(directory_);
  EXPECT_FALSE(resources.look());
  ASSERT_EQ(resources.faults().size(), 1u);
  EXPECT_EQ(resources.faults()[0].path, "spec.query.screeners[0].filter.exists.field");
  write(text.replace(text.find("field: x"), 8, "field: name"));
  EXPECT_TRUE(resources.look());
  EXPECT_FALSE(resources.look());
}

TEST_F(FolderResourcesTest, AChangeCountsWhenSeenTwice) {
  write(kIndex);
  FolderResources resources(directory_);
  ASSERT_TRUE(resources.look());
  std::filesystem::remove(directory_ / "a.yaml");
  EXPECT_FALSE(resources.look());
  EXPECT_EQ(resources.resources().indices.size(), 1u);
  write(kIndex);
  EXPECT_FALSE(resources.look());
  EXPECT_FALSE(resources.look());
  EXPECT_EQ(resources.resources().indices.size(), 1u);
}

TEST_F(FolderResourcesTest, FaultyFromTheBeginningIsNotKnown) {
  write("kind: Nonsense\n");
  FolderResources resources(directory_);
  EXPECT_FALSE(resources.look());
  EXPECT_FALSE(resources.known());
}

// Of all others a rotation is not seen.
TEST(SecretNames, AreThoseOfAllThatIsReferredTo) {
  model::Resources resources{.indices = {{}}, .bindings = {{}, {}}};
  auto& spec = resources.indices[0].spec;
  spec.elasticsearch.credentials_secret_ref = model::SecretRef{"a"};
  spec.elasticsearch.ca_secret_ref = model::SecretKeyRef{"b", "k"};
  spec.kafka.credentials_secret_ref = model::SecretRef{"c"};
  spec.kafka.ca_secret_ref = model::SecretKeyRef{"d", "k"};
  spec.ingest.tls_secret_ref = model::SecretRef{"e"};
  spec.query.keys_secret_ref = model::SecretRef{"f"};
  spec.query.commands = model::CommandsSpec{.secret_ref = {"g"}, .functions = {}};
  resources.bindings[0].spec.source = model::PostgresSource{.secret_ref = {"h"}};
  resources.bindings[1].spec.source = model::HttpSource{.tokens_secret_ref = model::SecretRef{"i"}};
  EXPECT_EQ(secret_names(resources),
            (std::set<std::string>{"a", "b", "c", "d", "e", "f", "g", "h", "i"}));
}

TEST_F(FolderResourcesTest, SecretsAreHashedByContent) {
  std::filesystem::create_directories(directory_ / "s");
  ASSERT_TRUE(write_file(directory_ / "s/password", "one"));
  const auto before = hash_secrets(directory_, {"s", "other"});
  EXPECT_EQ(before.size(), 1u);
  EXPECT_EQ(hash_secrets(directory_, {"s", "other"}), before);
  ASSERT_TRUE(write_file(directory_ / "s/password", "two"));
  EXPECT_NE(hash_secrets(directory_, {"s", "other"}), before);
}

}  // namespace
}  // namespace searchsync::control
