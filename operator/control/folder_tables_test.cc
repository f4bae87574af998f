#include "operator/control/folder_tables.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "operator/control/notes_file.h"

namespace searchsync::control {
namespace {

class FolderTablesTest : public testing::Test {
 protected:
  FolderTablesTest() {
    model::SearchIndex index;
    index.metadata.name = "shop";
    index.spec.index_name = "shop";
    index.spec.elasticsearch.urls = {"http://es:9200"};
    index.spec.kafka.bootstrap_servers = {"kafka:9092"};
    index.spec.tables.emplace();
    model::SourceBinding binding;
    binding.metadata.name = "shop-db";
    binding.spec.index_ref = "shop";
    binding.spec.source = model::PostgresSource{.secret_ref = {"shop-db"},
                                                .table = "",
                                                .topic_prefix = "p",
                                                .tables = model::TableSelection{},
                                                .revision = ""};
    declared_ = {.indices = {index}, .bindings = {binding}};
  }
  ~FolderTablesTest() override { std::filesystem::remove_all(folder_); }

  plan::Expansion expansion() const {
    plan::CatalogTable table{.name = {"public", "users"},
                             .columns = {{.name = "id", .type = "int8"}},
                             .key = {"id"},
                             .revision = "1"};
    plan::CatalogTable log{.name = {"public", "log"}, .columns = {}, .key = {}, .revision = "1"};
    return plan::expand(declared_.indices[0], declared_.bindings[0],
                        {.user = "u", .tables = {log, table}, .foreign_keys = {}}, {});
  }

  plan::Observed observe() {
    plan::Observed observed;
    observed.resources_known = true;
    observed.resources = declared_;
    tables_.add(observed);
    return observed;
  }

  static std::filesystem::path make_folder() {
    char path[] = "/tmp/searchsync-tables-XXXXXX";
    return mkdtemp(path);
  }

  const std::filesystem::path folder_ = make_folder();
  model::Resources declared_;
  // No such secret: the database cannot be reached.
  model::FolderSecrets secrets_{std::filesystem::path("/nowhere")};
  FolderTables tables_{folder_, secrets_};
};

TEST_F(FolderTablesTest, WhatIsKeptInAFileIsReadAsItWas) {
  const auto all = expansion();
  ASSERT_EQ(all.kept.size(), 1u);
  ASSERT_EQ(all.refused.size(), 1u);
  const auto parsed = parse_expansion(to_json(all));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, all);
  EXPECT_EQ(parse_expansion("{}").error().code, ErrorCode::kMalformed);
}

TEST_F(FolderTablesTest, NothingIsKnownOfADatabaseThatNeverAnswered) {
  tables_.settle(declared_);
  const auto observed = observe();
  const auto& seen = observed.tables.at("default/shop");
  EXPECT_FALSE(seen.known);
  ASSERT_TRUE(seen.fault);
  EXPECT_NE(seen.fault->find("shop-db"), std::string::npos) << *seen.fault;
  EXPECT_EQ(observed.resources, declared_);
}

TEST_F(FolderTablesTest, WhatADatabaseHadLastIsKept) {
  ASSERT_TRUE(write_file(folder_ / "default.shop.json", to_json(expansion())));
  tables_.settle(declared_);
  const auto observed = observe();
  const auto& seen = observed.tables.at("default/shop");
  EXPECT_TRUE(seen.known);
  EXPECT_TRUE(seen.fault);
  ASSERT_EQ(seen.kept.size(), 1u);
  EXPECT_EQ(seen.kept[0].index, "default/shop-users");
  EXPECT_EQ(seen.refused.at(0).table, "public.log");
  ASSERT_EQ(observed.resources.indices.size(), 2u);
  EXPECT_EQ(observed.resources.indices[1].metadata.name, "shop-users");
  // Until nobody declares it any more.
  declared_ = {};
  EXPECT_TRUE(observe().tables.empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "default.shop.json"));
}

}  // namespace
}  // namespace searchsync::control
