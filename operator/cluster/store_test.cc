#include "operator/cluster/store.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string index(int version, int generation, const std::string& status = "{}") {
  return fmt::format(
      R"({{"apiVersion":"searchsync.io/v1alpha1","kind":"SearchIndex","metadata":{{)"
      R"("name":"runs","namespace":"qa","uid":"u1","resourceVersion":"{}","generation":{}}},)"
      R"("spec":{{"elasticsearch":{{"urls":["http://es:9200"]}},)"
      R"("kafka":{{"bootstrapServers":["k:9092"]}},"mappings":{{}}}},"status":{}}})",
      version, generation, status);
}

std::string binding(int version, const std::string& of) {
  return fmt::format(
      R"({{"metadata":{{"name":"run","namespace":"qa","uid":"b","resourceVersion":"{0}",)"
      R"("generation":{0}}},"spec":{{"indexRef":{{"name":"{1}"}},"source":{{"kafka":)"
      R"({{"topic":"t"}}}},"key":["id"],"relation":{{"root":{{}}}},"fields":[]}}}})",
      version, of);
}

class StoreTest : public testing::Test {
 protected:
  StoreTest()
      : store_(
            [this](const auto& key, Cause cause) {
              told_.push_back(key + (cause == Cause::kEdit ? " edit" : " world"));
            },
            [this](const auto& namespace_) { told_.push_back("captures " + namespace_); }) {}

  std::vector<std::string> told() { return std::exchange(told_, {}); }

  std::vector<std::string> told_;
  Store store_;
};

TEST_F(StoreTest, TellsOfEditsNotOfItsOwnStatus) {
  store_.put(search_index_type(), index(1, 1));
  EXPECT_THAT(told(), ElementsAre("qa/runs edit"));
  store_.put(search_index_type(), index(2, 1, R"({"phase":"Serving"})"));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_EQ(store_.index("qa/runs")->status, R"({"phase":"Serving"})");
  store_.put(search_index_type(), index(3, 2));
  EXPECT_THAT(told(), ElementsAre("qa/runs edit"));
}

TEST_F(StoreTest, TellsADatabaseOfItsTables) {
  const auto owned = [](std::string object, const std::string& group = "searchsync.io") {
    const std::string name = R"("namespace":"qa")";
    return object.replace(
        object.find(name), name.size(),
        name + R"(,"labels":{"searchsync.io/database":"shop"},"ownerReferences":[{"apiVersion":")" +
            group + R"(/v1alpha1","kind":"SearchIndex","name":"shop","uid":"s"}])");
  };
  store_.put(search_index_type(), owned(index(1, 1), "another.io"));
  EXPECT_EQ(store_.index("qa/runs")->owner, "") << "by another kind of SearchIndex";
  told();
  store_.put(search_index_type(), owned(index(2, 2)));
  EXPECT_THAT(told(), ElementsAre("qa/runs edit", "qa/shop world"));
  EXPECT_EQ(store_.index("qa/runs")->owner, "shop");
  EXPECT_EQ(store_.index("qa/runs")->database, "shop");
  store_.put(source_binding_type(), owned(binding(1, "runs")));
  EXPECT_THAT(told(), ElementsAre("qa/runs edit", "qa/shop world"));
  store_.put(search_index_type(), owned(index(3, 2, R"({"phase":"Serving"})")));
  EXPECT_THAT(told(), IsEmpty()) << "of a status it is told by who writes it";
  const kube::Change removed{
      .kind = kube::Change::Kind::kRemoved, .key = {"qa", "run"}, .uid = "b"};
  store_.sink(source_binding_type()).apply(std::span(&removed, 1));
  EXPECT_THAT(told(), ElementsAre("qa/runs edit", "qa/shop world"));
}

TEST_F(StoreTest, NeverGoesBackBehindWhatWasWritten) {
  store_.put(search_index_type(), index(10, 1, R"({"phase":"Serving"})"));
  store_.put(search_index_type(), index(9, 1, R"({"phase":"Pending"})"));
  EXPECT_EQ(store_.index("qa/runs")->meta.resource_version, "10");
}

TEST_F(StoreTest, ABindingThatMovesConcernsBothIndices) {
  store_.put(source_binding_type(), binding(1, "runs"));
  EXPECT_THAT(told(), ElementsAre("qa/runs edit"));
  store_.put(source_binding_type(), binding(2, "others"));
  EXPECT_THAT(told(), ElementsAre("qa/runs edit", "qa/others edit"));
  EXPECT_THAT(store_.bindings("qa/runs"), IsEmpty());
  ASSERT_EQ(store_.bindings("qa/others").size(), 1u);
  EXPECT_TRUE(store_.bindings("qa/others")[0]->resource) << "though a list does not say its kind";
}

TEST_F(StoreTest, WhatWasRemovedDoesNotComeBackWithALateAnswer) {
  store_.put(search_index_type(), index(1, 1));
  const kube::ObjectKey key{"qa", "runs"};
  const kube::Change removed{.kind = kube::Change::Kind::kRemoved, .key = key, .uid = "u1"};
  store_.sink(search_index_type()).apply(std::span(&removed, 1));
  store_.put(search_index_type(), index(2, 1));
  EXPECT_EQ(store_.index("qa/runs"), nullptr);
  auto another = index(3, 1);
  another.replace(another.find("u1"), 2, "u2");
  store_.put(search_index_type(), another);
  EXPECT_NE(store_.index("qa/runs"), nullptr);
}

// The watch's word of the end may come while an answer is being read.
TEST(StoreRace, WhatIsRemovedMeanwhileDoesNotStay) {
  Store store([](const auto&, Cause) {}, [](const auto&) {});
  for (int i = 0; i < 300; ++i) {
    const auto uid = std::to_string(i);
    auto object = index(1, 1);
    object.replace(object.find("u1"), 2, uid);
    std::latch ready(2);
    std::jthread answer([&] {
      ready.arrive_and_wait();
      store.put(search_index_type(), object);
    });
    ready.arrive_and_wait();
    const kube::Change removed{
        .kind = kube::Change::Kind::kRemoved, .key = {"qa", "runs"}, .uid = uid};
    store.sink(search_index_type()).apply(std::span(&removed, 1));
    answer.join();
    ASSERT_EQ(store.index("qa/runs"), nullptr) << i;
  }
}

TEST_F(StoreTest, AForgottenNamespaceTakesNothingUntilItIsExpected) {
  store_.put(search_index_type(), index(1, 1));
  store_.forget_namespace("qa");
  EXPECT_THAT(told(), ElementsAre("qa/runs edit", "qa/runs world"));
  store_.put(search_index_type(), index(2, 1));  // what a call brings that was under way
  EXPECT_EQ(store_.index("qa/runs"), nullptr);
  store_.expect_namespace("qa");
  store_.put(search_index_type(), index(3, 1));
  EXPECT_NE(store_.index("qa/runs"), nullptr);
}

TEST_F(StoreTest, KnowsWhoElseWantsAnIndexName) {
  const auto put = [&](const std::string& name, const std::string& created,
                       const std::string& engine, const std::string& index_name) {
    store_.put(
        search_index_type(),
        fmt::format(R"({{"metadata":{{"name":"{0}","namespace":"qa","uid":"{0}",)"
                    R"("resourceVersion":"{1}","creationTimestamp":"2026-01-0{1}T00:00:00Z"}},)"
                    R"("spec":{{"indexName":"{3}","mappings":{{}},"kafka":)"
                    R"({{"bootstrapServers":["k:9092"]}},"elasticsearch":)"
                    R"({{"urls":["http://{2}:9200"]}}}}}})",
                    name, created, engine, index_name));
  };
  put("runs", "2", "es", "runs");
  EXPECT_THAT(store_.claims("qa/runs"), IsEmpty());
  put("first", "1", "es", "runs");
  put("last", "3", "es", "runs");
  put("elsewhere", "1", "other", "runs");
  put("else", "1", "es", "others");
  EXPECT_THAT(store_.claims("qa/runs"), ElementsAre(testing::Pair("qa/first", plan::Claim::kBefore),
                                                    testing::Pair("qa/last", plan::Claim::kAfter)));
  put("last", "4", "es", "others");
  const kube::ObjectKey key{"qa", "first"};
  const kube::Change removed{.kind = kube::Change::Kind::kRemoved, .key = key};
  store_.sink(search_index_type()).apply(std::span(&removed, 1));
  EXPECT_THAT(store_.claims("qa/runs"), IsEmpty());
}

TEST_F(StoreTest, SeesWhatOthersHaveDoneToWhatWasMade) {
  const auto budget = [](int version, int generation, const std::string& manager) {
    return fmt::format(
        R"({{"metadata":{{"name":"w","namespace":"qa","uid":"u","resourceVersion":"{}",)"
        R"("generation":{},"labels":{{"searchsync.io/index":"runs"}},"managedFields":[)"
        R"({{"manager":"searchsync"}},{{"manager":"{}"}},)"
        R"({{"manager":"controller","subresource":"status"}}]}}}})",
        version, generation, manager);
  };
  const auto& type = disruption_budget_type();
  const kube::ObjectKey key{"qa", "w"};
  EXPECT_FALSE(store_.is_as_made(type, key)) << "it is not there";
  store_.put(type, budget(1, 1, "searchsync"));
  EXPECT_TRUE(store_.is_as_made(type, key)) << "nobody else has a field of it";
  store_.put(type, budget(2, 1, "kubectl-edit"));
  EXPECT_TRUE(store_.is_as_made(type, key)) << "its spec is the same";
  EXPECT_THAT(told(), IsEmpty());
  store_.put(type, budget(3, 2, "kubectl-edit"));
  EXPECT_FALSE(store_.is_as_made(type, key));
  EXPECT_THAT(told(), ElementsAre("qa/runs world"));
  store_.put_made(type, budget(4, 3, "searchsync"));
  store_.put(type, budget(4, 3, "searchsync"));
  EXPECT_TRUE(store_.is_as_made(type, key));
  store_.put(type, budget(5, 4, "searchsync"));  // ours, before the call returns
  store_.put_made(type, budget(5, 4, "searchsync"));
  EXPECT_TRUE(store_.is_as_made(type, key));
  store_.put(type, budget(7, 6, "kubectl-edit"));  // after ours, and seen before it
  store_.put_made(type, budget(6, 5, "searchsync"));
  EXPECT_FALSE(store_.is_as_made(type, key));
  told();
  const kube::Change removed{.kind = kube::Change::Kind::kRemoved, .key = key};
  store_.sink(type).apply(std::span(&removed, 1));
  EXPECT_THAT(told(), ElementsAre("qa/runs world"));
  store_.put(type, budget(8, 1, "kubectl-edit"));
  EXPECT_FALSE(store_.is_as_made(type, key)) << "somebody else has a field of it";
}

TEST_F(StoreTest, WhatCannotBeReadIsKeptWithItsFault) {
  store_.put(search_index_type(),
             R"({"apiVersion":"searchsync.io/v1alpha1","kind":"SearchIndex","metadata":)"
             R"({"name":"runs","namespace":"qa","resourceVersion":"1"},"spec":{"shards":0}})");
  ASSERT_NE(store_.index("qa/runs"), nullptr);
  EXPECT_FALSE(store_.index("qa/runs")->resource);
  EXPECT_THAT(store_.index("qa/runs")->fault, testing::HasSubstr("spec.shards"));
}

TEST_F(StoreTest, PodsBelongToTheirWorkload) {
  store_.put(
      pod_type(),
      R"({"metadata":{"name":"w-0","namespace":"qa","uid":"p","resourceVersion":"5","labels":)"
      R"({"searchsync.io/workload":"w","searchsync.io/index":"runs"}},"status":{"phase":)"
      R"("Running","podIP":"10.0.0.1","containerStatuses":[{"state":{"waiting":{"reason":)"
      R"("CrashLoopBackOff","message":"back-off"}}}]}})");
  EXPECT_THAT(told(), ElementsAre("qa/runs world"));
  const auto pods = store_.pods("qa", "w");
  ASSERT_EQ(pods.size(), 1u);
  EXPECT_EQ(pods[0].address, "10.0.0.1");
  EXPECT_EQ(pods[0].message, "CrashLoopBackOff: back-off");
  store_.put(
      pod_type(),
      R"({"metadata":{"name":"w-0","namespace":"qa","uid":"p","resourceVersion":"6","labels":)"
      R"({"searchsync.io/workload":"w","searchsync.io/index":"runs"}},"status":{"phase":)"
      R"("Running","podIP":"10.0.0.1","containerStatuses":[{"state":{"waiting":{"reason":)"
      R"("CrashLoopBackOff","message":"back-off"}},"lastState":{"terminated":{"reason":"Error",)"
      R"("message":"starting\nno such database\n"}}}]}})");
  EXPECT_EQ(store_.pods("qa", "w").at(0).message, "no such database");
  EXPECT_THAT(told(), ElementsAre("qa/runs world"));
  const kube::ObjectKey key{"qa", "w-0"};
  const kube::Change removed{.kind = kube::Change::Kind::kRemoved, .key = key};
  store_.sink(pod_type()).apply(std::span(&removed, 1));
  EXPECT_THAT(store_.pods("qa", "w"), IsEmpty());
  EXPECT_THAT(told(), ElementsAre("qa/runs world"));
}

}  // namespace
}  // namespace searchsync::cluster
