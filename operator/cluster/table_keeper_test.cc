#include "operator/cluster/table_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/kube/fake_api_server.h"
#include "lib/model/resource_schema.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// The database `shop` with the tables orders and users. The store knows what the keeper has written
// and what look() tells it, as of watches.
class TableKeeperTest : public testing::Test {
 protected:
  TableKeeperTest() {
    server_.serve(search_index_type(), kube::FakeApiServer::Status::kSubresource);
    server_.serve(source_binding_type(), kube::FakeApiServer::Status::kSubresource);
    server_.serve(event_type());
    shop_.metadata = {"shop", "qa"};
    shop_.spec.index_name = "shop";
    shop_.spec.elasticsearch.urls = {"http://es:9200"};
    shop_.spec.kafka.bootstrap_servers = {"kafka:9092"};
    shop_.spec.tables.emplace();
    binding_.metadata = {"shop-db", "qa"};
    binding_.spec.index_ref = "shop";
    binding_.spec.source = model::PostgresSource{.secret_ref = {"db"},
                                                 .table = "",
                                                 .topic_prefix = "p",
                                                 .tables = model::TableSelection{},
                                                 .revision = ""};
    for (const char* name : {"orders", "users"}) {
      catalog_.tables.push_back({.name = {"public", name},
                                 .columns = {{.name = "id", .type = "int8"}},
                                 .key = {"id"},
                                 .revision = "1"});
    }
    server_.put(search_index_type(), {"qa", "shop"}, model::to_json(shop_));
    look(search_index_type(), "shop");
  }

  static kube::ObjectKey key(const std::string& name) { return {"qa", name}; }

  json get(const kube::ResourceType& type, const std::string& name) {
    const auto object = client_.get(type, key(name));
    return object ? json::parse(*object) : json();
  }

  void look(const kube::ResourceType& type, const std::string& name) {
    store_.put(type, get(type, name).dump());
  }

  TableChanges changes() const {
    const auto database = store_.index("qa/shop");
    const auto objects = find_table_objects(
        *database, {.indices = store_.all_indices(), .bindings = store_.all_bindings("qa")});
    return table_changes(plan::expand(shop_, binding_, catalog_, objects.taken), objects,
                         [](const plan::KeptTable&) { return std::string(); },
                         {"shop", database->meta.uid});
  }

  TableKeeper::Outcome carry_out() {
    return keeper_.carry_out(changes(), store_.index("qa/shop")->meta, [this] { return leads_; });
  }

  bool settled() const {
    const auto left = changes();
    return left.apply.empty() && left.remove.empty();
  }

  model::SearchIndex shop_;
  model::SourceBinding binding_;
  plan::Catalog catalog_{.user = "sync", .tables = {}, .foreign_keys = {}};
  bool leads_ = true;
  kube::FakeApiServer server_{1};
  kube::FakeTransport transport_{server_};
  kube::Client client_{transport_};
  Store store_{[](const auto&, Cause) {}, [](const auto&) {}};
  Recorder recorder_{client_, "operator-0"};
  TableKeeper keeper_{store_, client_, recorder_};
};

TEST_F(TableKeeperTest, MakesAPairOfEachTable) {
  const auto outcome = carry_out();
  EXPECT_TRUE(outcome.whole) << outcome.problem;
  EXPECT_TRUE(settled());
  for (const char* name : {"shop-orders", "shop-users"}) {
    EXPECT_EQ(get(search_index_type(), name)["metadata"]["labels"]["searchsync.io/database"],
              "shop");
    EXPECT_EQ(get(source_binding_type(), name)["spec"]["indexRef"]["name"], name);
  }
}

TEST_F(TableKeeperTest, WritesNothingOnceItDoesNotLead) {
  leads_ = false;
  EXPECT_FALSE(carry_out().whole);
  EXPECT_TRUE(get(search_index_type(), "shop-orders").is_null());
}

TEST_F(TableKeeperTest, PutsBackWhatPeopleChangeAndTakesAwayWhatTheyAdd) {
  ASSERT_TRUE(carry_out().whole);
  auto edited = get(search_index_type(), "shop-users");
  const auto before = edited["spec"];
  edited["spec"]["replicas"] = 5;
  edited["spec"]["workers"]["storage"] = {{"size", "1Gi"}};
  server_.put(search_index_type(), key("shop-users"), edited.dump());
  look(search_index_type(), "shop-users");
  ASSERT_FALSE(settled());
  const auto outcome = carry_out();
  EXPECT_TRUE(outcome.whole) << outcome.problem;
  EXPECT_EQ(get(search_index_type(), "shop-users")["spec"], before);
  EXPECT_TRUE(settled());
}

TEST_F(TableKeeperTest, WhatSomebodyHasJustMadeIsNotTakenOver) {
  // The same in all that is declared: an apply would find no conflict.
  const auto theirs = plan::expand(shop_, binding_, catalog_, {}).kept.at(0).index;
  server_.put(search_index_type(), key("shop-orders"), model::to_json(theirs));
  const auto before = get(search_index_type(), "shop-orders");
  const auto outcome = carry_out();
  EXPECT_FALSE(outcome.whole);
  EXPECT_THAT(outcome.problem, HasSubstr("could not apply SearchIndex shop-orders"));
  EXPECT_EQ(get(search_index_type(), "shop-orders"), before);
  EXPECT_TRUE(get(source_binding_type(), "shop-orders").is_null());
  EXPECT_FALSE(get(search_index_type(), "shop-users").is_null()) << "others do not wait for it";
  // Seen, it has the name, and the table another one.
  look(search_index_type(), "shop-orders");
  EXPECT_TRUE(carry_out().whole);
  EXPECT_EQ(get(search_index_type(), "shop-orders"), before);
}

TEST_F(TableKeeperTest, WhatIsToBeRetainedIsToldSoBeforeItIsDeleted) {
  ASSERT_TRUE(carry_out().whole);
  auto users = get(search_index_type(), "shop-users");
  users["spec"]["deletionPolicy"] = "Delete";
  users["metadata"]["finalizers"] = {std::string(kFinalizer)};
  server_.put(search_index_type(), key("shop-users"), users.dump());
  look(search_index_type(), "shop-users");
  catalog_.tables.pop_back();
  EXPECT_TRUE(carry_out().whole);
  const auto left = get(search_index_type(), "shop-users");
  EXPECT_TRUE(left["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(left["spec"]["deletionPolicy"], "Retain");
}

TEST_F(TableKeeperTest, DeletesWhatItHasMadeAndNothingElseOfThatName) {
  ASSERT_TRUE(carry_out().whole);
  catalog_.tables.pop_back();
  server_.remove(source_binding_type(), key("shop-users"));
  auto theirs = get(search_index_type(), "shop-users");
  server_.remove(search_index_type(), key("shop-users"));
  theirs["metadata"] = {{"name", "shop-users"}, {"namespace", "qa"}};
  server_.put(search_index_type(), key("shop-users"), theirs.dump());
  EXPECT_TRUE(carry_out().whole);
  EXPECT_FALSE(get(search_index_type(), "shop-users").is_null());
  catalog_.tables.pop_back();
  EXPECT_TRUE(carry_out().whole);
  EXPECT_TRUE(get(search_index_type(), "shop-orders").is_null());
  EXPECT_TRUE(get(source_binding_type(), "shop-orders").is_null());
}

}  // namespace
}  // namespace searchsync::cluster
