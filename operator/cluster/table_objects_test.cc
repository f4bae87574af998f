#include "operator/cluster/table_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/model/resource_schema.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

using Change = std::pair<std::string, std::string>;  // kind and name

// A namespace with the database `shop`, and what the API server makes of what is applied to it.
class TableObjectsTest : public testing::Test {
 protected:
  TableObjectsTest() {
    shop_.metadata = {"shop", "qa"};
    shop_.spec.index_name = "shop";
    shop_.spec.elasticsearch.urls = {"http://es:9200", "http://es2:9200"};
    shop_.spec.kafka.bootstrap_servers = {"kafka:9092"};
    shop_.spec.tables.emplace();
    binding_.metadata = {"shop-db", "qa"};
    binding_.spec.index_ref = "shop";
    binding_.spec.source = model::PostgresSource{.secret_ref = {"db"},
                                                 .table = "",
                                                 .topic_prefix = "p",
                                                 .tables = model::TableSelection{},
                                                 .revision = ""};
    put(search_index_type(), json::parse(model::to_json(shop_)), "u-shop");
    add_table("orders");
    add_table("users");
  }

  void add_table(const std::string& name) {
    catalog_.tables.push_back({.name = {"public", name},
                               .columns = {{.name = "id", .type = "int8"}},
                               .key = {"id"},
                               .revision = "1"});
    std::ranges::sort(catalog_.tables, {}, &plan::CatalogTable::name);
  }

  void put(const kube::ResourceType& type, json object, const std::string& uid) {
    object["metadata"]["uid"] = uid;
    objects_[{type.kind, object["metadata"]["namespace"], object["metadata"]["name"]}] = object;
  }

  json& object(const std::string& kind, const std::string& name) {
    return objects_.at({kind, "qa", name});
  }

  // A SearchIndex that a person has made.
  void declare(const std::string& namespace_, const std::string& name, const std::string& alias,
               const std::string& url) {
    auto index = shop_;
    index.metadata = {name, namespace_};
    index.spec.index_name = alias;
    index.spec.elasticsearch.urls = {url};
    index.spec.tables.reset();
    index.spec.mappings = {R"({"properties":{"id":{"type":"long"}}})"};
    put(search_index_type(), json::parse(model::to_json(index)), "u-" + namespace_ + name);
  }

  TableObjects find() const {
    Neighbours all;
    for (const auto& [key, object] : objects_) {
      const auto text = object.dump();
      if (std::get<0>(key) == "SearchIndex") {
        all.indices.push_back(std::make_shared<const DeclaredIndex>(read_index(object, text)));
      } else if (std::get<1>(key) == "qa") {
        all.bindings.push_back(std::make_shared<const DeclaredBinding>(read_binding(object, text)));
      }
    }
    const auto& own = objects_.at({"SearchIndex", "qa", "shop"});
    return find_table_objects(read_index(own, own.dump()), all);
  }

  TableChanges changes() const {
    const auto found = find();
    return table_changes(plan::expand(shop_, binding_, catalog_, found.taken), found,
                         [this](const plan::KeptTable& table) {
                           const auto fault = faulty_.find(table.index.metadata.name);
                           return fault == faulty_.end() ? "" : fault->second;
                         },
                         {"shop", "u-shop"});
  }

  static std::vector<Change> applied(const TableChanges& changes) {
    std::vector<Change> all;
    for (const auto& one : changes.apply)
      all.emplace_back(one.manifest.type.kind, one.manifest.key.name);
    return all;
  }
  static std::vector<Change> removed(const TableChanges& changes) {
    std::vector<Change> all;
    for (const auto& one : changes.remove) all.emplace_back(one.type.kind, one.key.name);
    return all;
  }

  void settle() {
    for (const auto& one : changes().apply) {
      const auto& [type, key, text] = one.manifest;
      put(type, json::parse(text), "u-" + type.kind + key.name);
    }
    ASSERT_TRUE(changes().apply.empty());
    ASSERT_TRUE(changes().remove.empty());
  }

  std::map<std::string, std::string> faulty_;
  model::SearchIndex shop_;
  model::SourceBinding binding_;
  plan::Catalog catalog_{.user = "sync", .tables = {}, .foreign_keys = {}};
  std::map<std::tuple<std::string, std::string, std::string>, json> objects_;
};

TEST_F(TableObjectsTest, EachTableIsAPairThatTheDatabaseOwns) {
  const auto first = changes();
  EXPECT_THAT(
      applied(first),
      ElementsAre(Change("SearchIndex", "shop-orders"), Change("SourceBinding", "shop-orders"),
                  Change("SearchIndex", "shop-users"), Change("SourceBinding", "shop-users")));
  EXPECT_THAT(first.remove, IsEmpty());
  EXPECT_EQ(first.apply[0].table, "public.orders");
  EXPECT_EQ(first.apply[0].uid, "");
  const json index = json::parse(first.apply[0].manifest.json);
  EXPECT_EQ(index["metadata"]["labels"]["searchsync.io/database"], "shop");
  EXPECT_EQ(index["metadata"]["ownerReferences"],
            json::parse(R"([{"apiVersion":"searchsync.io/v1alpha1","kind":"SearchIndex",)"
                        R"("name":"shop","uid":"u-shop"}])"));
  EXPECT_EQ(index["spec"]["query"]["replicas"], 0);
  settle();
}

TEST_F(TableObjectsTest, WhatSomebodyChangesIsPutBack) {
  settle();
  object("SearchIndex", "shop-orders")["spec"]["suspend"] = true;
  const auto edited = changes();
  EXPECT_THAT(applied(edited), ElementsAre(Change("SearchIndex", "shop-orders")));
  EXPECT_EQ(edited.apply[0].uid, "u-SearchIndexshop-orders");
  EXPECT_EQ(json::parse(edited.apply[0].manifest.json)["metadata"]["uid"], edited.apply[0].uid);
  settle();
  objects_.erase({"SourceBinding", "qa", "shop-users"});
  EXPECT_THAT(applied(changes()), ElementsAre(Change("SourceBinding", "shop-users")));
  settle();
  object("SourceBinding", "shop-users")["metadata"].erase("labels");
  EXPECT_THAT(applied(changes()), ElementsAre(Change("SourceBinding", "shop-users")));
  settle();
  // As an orphaning deletion leaves it behind.
  object("SourceBinding", "shop-users")["metadata"].erase("ownerReferences");
  EXPECT_THAT(applied(changes()), ElementsAre(Change("SourceBinding", "shop-users")));
  settle();
  // The order of keys is the API server's.
  auto& mappings = object("SearchIndex", "shop-orders")["spec"]["mappings"];
  mappings = json::parse(mappings.dump(2));
  EXPECT_THAT(changes().apply, IsEmpty());
}

TEST_F(TableObjectsTest, ATableThatLeavesTakesItsPair) {
  settle();
  std::erase_if(catalog_.tables, [](const auto& table) { return table.name.table == "orders"; });
  const auto left = changes();
  EXPECT_THAT(left.apply, IsEmpty());
  EXPECT_THAT(removed(left), ElementsAre(Change("SearchIndex", "shop-orders"),
                                         Change("SourceBinding", "shop-orders")));
  EXPECT_EQ(left.remove[0].uid, "u-SearchIndexshop-orders");
  // Its data is being deleted.
  objects_.erase({"SourceBinding", "qa", "shop-orders"});
  object("SearchIndex", "shop-orders")["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z";
  EXPECT_THAT(changes().remove, IsEmpty());
  EXPECT_FALSE(changes().waits);
  // Made anew meanwhile, it waits for its name and takes no other.
  add_table("orders");
  EXPECT_THAT(changes().apply, IsEmpty());
  EXPECT_TRUE(changes().waits);
  objects_.erase({"SearchIndex", "qa", "shop-orders"});
  EXPECT_THAT(applied(changes()), ElementsAre(Change("SearchIndex", "shop-orders"),
                                              Change("SourceBinding", "shop-orders")));
}

TEST_F(TableObjectsTest, WhatASearchIndexOfTheSameNameLeftIsWaitedFor) {
  settle();
  object("SearchIndex", "shop")["metadata"]["uid"] = "u-other";
  const auto found = find();
  EXPECT_THAT(found.leaving, ElementsAre("shop-orders", "shop-users"));
  EXPECT_FALSE(found.taken.contains("shop-orders"));
  EXPECT_THAT(found.indices, IsEmpty());
}

TEST_F(TableObjectsTest, NothingOfOthersIsTakenOver) {
  declare("qa", "shop-orders", "elsewhere", "http://another:9200");
  const auto around = changes();
  ASSERT_EQ(around.apply.size(), 4u);
  EXPECT_THAT(around.apply[0].manifest.key.name, testing::StartsWith("shop-orders---"));
  EXPECT_EQ(around.apply[2].manifest.key.name, "shop-users");
  EXPECT_THAT(around.remove, IsEmpty());
}

TEST_F(TableObjectsTest, AnAliasAtTheSameEngineIsOfWhoHadItFirst) {
  declare("other", "a", "shop-orders", "http://es2:9200");
  declare("other", "b", "shop-users", "http://another:9200");
  EXPECT_THAT(changes().apply.at(0).manifest.key.name, testing::StartsWith("shop-orders---"));
  EXPECT_EQ(changes().apply.at(2).manifest.key.name, "shop-users") << "at another engine";
  settle();
  declare("other", "c", "shop-users", "http://es:9200");
  EXPECT_THAT(changes().apply, IsEmpty()) << "nothing is renamed";
  EXPECT_THAT(changes().remove, IsEmpty());
}

TEST_F(TableObjectsTest, ATableWhoseBindingSomebodyTookKeepsItsIndex) {
  settle();
  json& theirs = object("SourceBinding", "shop-orders");
  theirs["metadata"] = {{"name", "shop-orders"}, {"namespace", "qa"}, {"uid", "u-theirs"}};
  const auto around = changes();
  EXPECT_THAT(applied(around), ElementsAre(Change("SourceBinding", "shop-orders")));
  EXPECT_EQ(around.apply[0].uid, "") << "made, so that it is refused";
  EXPECT_THAT(around.remove, IsEmpty());
}

TEST_F(TableObjectsTest, WhatHasFaultsStaysAsItIs) {
  faulty_["shop-orders"] = "spec.mappings: no field";
  EXPECT_THAT(applied(changes()), ElementsAre(Change("SearchIndex", "shop-users"),
                                              Change("SourceBinding", "shop-users")));
  EXPECT_THAT(changes().faults,
              ElementsAre("public.orders stays as it is: spec.mappings: no field"));
  faulty_.clear();
  settle();
  faulty_["shop-orders"] = "spec.mappings: no field";
  EXPECT_THAT(changes().remove, IsEmpty());
}

TEST_F(TableObjectsTest, TheDataOfWhatLeavesIsRetainedIfTheDatabaseSaysSo) {
  settle();
  object("SearchIndex", "shop-orders")["spec"]["deletionPolicy"] = "Delete";
  std::erase_if(catalog_.tables, [](const auto& table) { return table.name.table == "orders"; });
  ASSERT_EQ(changes().remove.size(), 2u);
  EXPECT_TRUE(changes().remove[0].retain);
  EXPECT_FALSE(changes().remove[1].retain);
  object("SearchIndex", "shop")["spec"]["deletionPolicy"] = "Delete";
  EXPECT_FALSE(changes().remove[0].retain);
}

TEST_F(TableObjectsTest, RemembersWhatADatabaseHad) {
  add_table("order_items");
  catalog_.tables.push_back(catalog_.tables[0]);
  catalog_.tables.back().name = {"staff", "desks"};
  settle();
  const auto all = plan::expand(shop_, binding_, catalog_, {});
  const auto remembered = remembered_expansion(find());
  EXPECT_EQ(remembered.kept, all.kept);
  objects_.erase({"SourceBinding", "qa", "shop-users"});
  EXPECT_EQ(remembered_expansion(find()).kept.size(), 3u) << "half a table is none";
}

TEST_F(TableObjectsTest, ACorrectionTakesAwayWhatAnApplyLeaves) {
  const auto change = changes().apply.at(0).manifest;
  json live = json::parse(change.json);
  live["metadata"]["resourceVersion"] = "7";
  EXPECT_TRUE(is_as_applied(change, live.dump()));
  EXPECT_EQ(correction(change, live.dump()), "");
  live["spec"]["partitioning"] = {{"field", "at"}};
  live["spec"]["mappings"]["properties"]["more"] = {{"type", "text"}};
  live["spec"]["elasticsearch"]["urls"].push_back("http://third:9200");
  EXPECT_FALSE(is_as_applied(change, live.dump()));
  const json patch = json::parse(correction(change, live.dump()));
  EXPECT_EQ(patch["spec"]["partitioning"], nullptr);
  live.merge_patch(patch);
  EXPECT_TRUE(is_as_applied(change, live.dump()));
}

}  // namespace
}  // namespace searchsync::cluster
