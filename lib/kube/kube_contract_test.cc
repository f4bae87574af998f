// What we believe of API servers, asked of our fake over HTTP, and of a real one where
// SEARCHSYNC_TEST_KUBECONFIG names a kubeconfig. It needs the namespace "default" and may write
// ConfigMaps and Leases there.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "lib/kube/client.h"
#include "lib/kube/cluster_config.h"
#include "lib/kube/credentials.h"
#include "lib/kube/fake_api_http.h"
#include "lib/kube/lease.h"
#include "lib/kube/reflector.h"
#include "lib/metrics/registry.h"

namespace searchsync::kube {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kNamespace = "default";

const ResourceType kConfigMaps{
    .group = "", .version = "v1", .plural = "configmaps", .kind = "ConfigMap"};
const ResourceType kLeases{
    .group = "coordination.k8s.io", .version = "v1", .plural = "leases", .kind = "Lease"};

// What a reflector says, for a test that waits for it.
class Mirror final : public ReflectorSink {
 public:
  void apply(std::span<const Change> changes) override {
    const std::lock_guard lock(mutex_);
    for (const Change& change : changes) {
      if (change.kind == Change::Kind::kRemoved) {
        objects_.erase(change.key.name);
        ++removals_;
      } else {
        objects_[change.key.name] = json::parse(change.object);
        EXPECT_EQ(objects_[change.key.name]["metadata"]["resourceVersion"],
                  std::string(change.resource_version));
        EXPECT_EQ(objects_[change.key.name]["metadata"]["uid"], std::string(change.uid));
      }
    }
    changed_.notify_all();
  }
  void synced() override {
    const std::lock_guard lock(mutex_);
    synced_ = true;
    changed_.notify_all();
  }

  using Objects = std::map<std::string, json>;
  testing::AssertionResult becomes(const std::function<bool(const Objects&)>& wanted) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, seconds(10), [&] { return synced_ && wanted(objects_); })) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "after 10 s: " << json(objects_).dump(1);
  }
  testing::AssertionResult has(const std::map<std::string, std::string>& wanted) {
    return becomes([&](const Objects& objects) {
      std::map<std::string, std::string> values;
      for (const auto& [name, object] : objects) {
        values[name] = object.value("/data/n"_json_pointer, "");
      }
      return values == wanted;
    });
  }
  int removals() {
    const std::lock_guard lock(mutex_);
    return removals_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Objects objects_;      // guarded by mutex_
  bool synced_ = false;  // guarded by mutex_
  int removals_ = 0;     // guarded by mutex_
};

// Waits until `done`, which a thread of its own brings about.
bool eventually(const std::function<bool()>& done, milliseconds within) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!done() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  return done();
}

enum class Place { kFake, kReal };

class KubeContract : public testing::TestWithParam<Place> {
 protected:
  void SetUp() override {
    ClusterConfig config;
    if (GetParam() == Place::kFake) {
      fake_ = std::make_unique<FakeApiHttp>(1);
      fake_->with([](FakeApiServer& server) {
        server.serve(kConfigMaps);
        server.serve(kLeases);
      });
      config.server = fake_->url();
    } else {
      const char* path = std::getenv("SEARCHSYNC_TEST_KUBECONFIG");
      if (path == nullptr) GTEST_SKIP() << "SEARCHSYNC_TEST_KUBECONFIG is not set";
      auto read = kubeconfig({path});
      ASSERT_TRUE(read) << read.error().message;
      config = std::move(*read);
    }
    auto credentials = Credentials::create(std::move(config));
    ASSERT_TRUE(credentials) << credentials.error().message;
    credentials_ = std::move(*credentials);
    auto transport = connect(*credentials_, registry_);
    ASSERT_TRUE(transport) << transport.error().message;
    transport_ = std::move(*transport);
    client_ = std::make_unique<Client>(*transport_);
    run_ = fmt::format("contract-{:08x}", std::random_device()());
    auto reflectors = Reflectors::create(*credentials_, registry_);
    ASSERT_TRUE(reflectors) << reflectors.error().message;
    reflectors_ = std::move(*reflectors);
  }

  void TearDown() override {
    if (!client_) return;
    const auto left = client_->list(
        kConfigMaps, {.namespace_ = kNamespace, .label_selector = "run=" + run_, .limit = 0});
    ASSERT_TRUE(left) << left.error().message;
    for (const std::string& item : left->items) {
      const std::string name = json::parse(item)["metadata"]["name"];
      EXPECT_TRUE(client_->remove(kConfigMaps, {kNamespace, name}));
    }
  }

  std::string name(std::string_view suffix) const { return fmt::format("{}-{}", run_, suffix); }
  ObjectKey key(std::string_view suffix) const { return {kNamespace, name(suffix)}; }

  std::string text(std::string_view suffix, const json& data, const json& labels = {}) const {
    json object{{"apiVersion", "v1"},
                {"kind", "ConfigMap"},
                {"metadata", {{"name", name(suffix)}, {"labels", {{"run", run_}}}}},
                {"data", data}};
    if (labels.is_object()) object["metadata"]["labels"].update(labels);
    return object.dump();
  }

  json create(std::string_view suffix, const std::string& n, const json& labels = {}) {
    const auto made = client_->create(kConfigMaps, kNamespace, text(suffix, {{"n", n}}, labels));
    EXPECT_TRUE(made) << made.error().message;
    return made ? json::parse(*made) : json();
  }

  ReflectorOptions follow(std::string labels = "") const {
    return {.type = kConfigMaps,
            .namespace_ = kNamespace,
            .label_selector = labels.empty() ? "run=" + run_ : labels};
  }

  Mirror& add_mirror() { return *mirrors_.emplace_back(std::make_unique<Mirror>()); }

  std::unique_ptr<FakeApiHttp> fake_;
  metrics::Registry registry_;
  std::unique_ptr<Credentials> credentials_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Client> client_;
  std::string run_;
  std::vector<std::unique_ptr<Mirror>> mirrors_;
  std::unique_ptr<Reflectors> reflectors_;  // goes before what it uses
};

TEST_P(KubeContract, ObjectsAreCreatedReadReplacedAndRemoved) {
  const json made = create("a", "1");
  EXPECT_EQ(made["data"]["n"], "1");
  const auto again = client_->create(kConfigMaps, kNamespace, text("a", {{"n", "2"}}));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().reason, ApiReason::kAlreadyExists);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);

  json changed = made;
  changed["data"]["n"] = "2";
  const auto replaced = client_->replace(kConfigMaps, key("a"), changed.dump());
  ASSERT_TRUE(replaced) << replaced.error().message;
  EXPECT_NE(json::parse(*replaced)["metadata"]["resourceVersion"],
            made["metadata"]["resourceVersion"]);
  changed["data"]["n"] = "3";  // still with the first version
  const auto stale = client_->replace(kConfigMaps, key("a"), changed.dump());
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().reason, ApiReason::kConflict) << stale.error().message;

  const auto patched =
      client_->merge_patch(kConfigMaps, key("a"), R"({"data":{"n":null,"m":"4"}})");
  ASSERT_TRUE(patched) << patched.error().message;
  EXPECT_EQ(json::parse(*patched)["data"], (json{{"m", "4"}}));
  EXPECT_EQ(json::parse(client_->get(kConfigMaps, key("a")).value())["data"], (json{{"m", "4"}}));

  const auto other = client_->remove(kConfigMaps, key("a"), {.uid = "another"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().reason, ApiReason::kConflict);
  EXPECT_TRUE(client_->remove(kConfigMaps, key("a"), {.uid = made["metadata"]["uid"]}));
  EXPECT_EQ(client_->get(kConfigMaps, key("a")).error().reason, ApiReason::kNotFound);
  EXPECT_EQ(client_->remove(kConfigMaps, key("a")).error().reason, ApiReason::kNotFound);
}

TEST_P(KubeContract, ApplyOwnsFields) {
  const auto first = client_->apply(kConfigMaps, key("a"), text("a", {{"x", "1"}, {"y", "1"}}));
  ASSERT_TRUE(first) << first.error().message;
  const auto same = client_->apply(kConfigMaps, key("a"), text("a", {{"x", "1"}, {"y", "1"}}));
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(json::parse(*same)["metadata"]["resourceVersion"],
            json::parse(*first)["metadata"]["resourceVersion"]);

  const ApplyOptions other{.field_manager = "other", .ownership = Ownership::kKeep};
  const auto conflict = client_->apply(kConfigMaps, key("a"), text("a", {{"x", "2"}}), other);
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().reason, ApiReason::kConflict) << conflict.error().message;
  ASSERT_FALSE(conflict.error().causes.empty());
  EXPECT_EQ(conflict.error().causes[0].field, ".data.x");
  EXPECT_EQ(conflict.error().causes[0].reason, "FieldManagerConflict");

  const ApplyOptions forced{.field_manager = "other", .ownership = Ownership::kForce};
  ASSERT_TRUE(client_->apply(kConfigMaps, key("a"), text("a", {{"x", "2"}}), forced));
  // x is the other's now, and y goes when it is not applied any more.
  const auto less = client_->apply(kConfigMaps, key("a"), text("a", {{"z", "3"}}));
  ASSERT_TRUE(less) << less.error().message;
  EXPECT_EQ(json::parse(*less)["data"], (json{{"x", "2"}, {"z", "3"}}));
}

TEST_P(KubeContract, WhatIsWrongIsSaidByField) {
  json bad = json::parse(text("a", {{"n", "1"}}));
  bad["metadata"]["name"] = "Not_A_Name";
  const auto invalid = client_->create(kConfigMaps, kNamespace, bad.dump());
  ASSERT_FALSE(invalid);
  EXPECT_EQ(invalid.error().reason, ApiReason::kInvalid);
  EXPECT_EQ(invalid.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(invalid.error().status, 422);
  ASSERT_FALSE(invalid.error().causes.empty());
  EXPECT_EQ(invalid.error().causes[0].field, "metadata.name");
  EXPECT_THAT(invalid.error().message, HasSubstr("POST /api/v1/namespaces/default/configmaps: "));

  const ResourceType none{.group = "no.such", .version = "v1", .plural = "things", .kind = "Thing"};
  EXPECT_EQ(client_->list(none, {}).error().reason, ApiReason::kNotFound);
  const auto wrong = client_->create(kConfigMaps, kNamespace, "{");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().reason, ApiReason::kBadRequest) << wrong.error().message;
  EXPECT_THAT(client_->get_raw("/version").value(), HasSubstr("gitVersion"));
}

TEST_P(KubeContract, ListsComeInPagesOfOneState) {
  for (const char* suffix : {"a", "b", "c", "d", "e"}) create(suffix, "1");
  ListOptions options{.namespace_ = kNamespace, .label_selector = "run=" + run_, .limit = 2};
  std::vector<std::string> names;
  std::string version;
  for (int page = 0; page < 3; ++page) {
    const auto got = client_->list(kConfigMaps, options);
    ASSERT_TRUE(got) << got.error().message;
    if (page == 0) {
      version = got->resource_version;
      create("f", "later");
    }
    EXPECT_EQ(got->resource_version, version);
    for (const std::string& item : got->items) {
      EXPECT_FALSE(json::parse(item).contains("kind"));
      names.push_back(json::parse(item)["metadata"]["name"]);
    }
    EXPECT_EQ(got->continue_token.empty(), page == 2);
    options.continue_token = got->continue_token;
  }
  EXPECT_EQ(names, (std::vector{name("a"), name("b"), name("c"), name("d"), name("e")}));

  options = {.namespace_ = kNamespace,
             .label_selector = "run=" + run_,
             .field_selector = "metadata.name=" + name("b"),
             .content = Content::kMetadata};
  const auto one = client_->list(kConfigMaps, options);
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_EQ(one->items.size(), 1u);
  EXPECT_FALSE(json::parse(one->items[0]).contains("data"));
}

TEST_P(KubeContract, AReflectorShowsEveryChange) {
  const std::string labels = "run=" + run_ + ",show=yes";
  const json shown{{"show", "yes"}};
  for (const char* suffix : {"a", "b", "c", "d", "e"}) create(suffix, "1", shown);
  Mirror& mirror = add_mirror();
  ReflectorOptions options = follow(labels);
  options.page_limit = 2;
  const ReflectorId id = reflectors_->start(options, mirror);
  EXPECT_TRUE(mirror.has(
      {{name("a"), "1"}, {name("b"), "1"}, {name("c"), "1"}, {name("d"), "1"}, {name("e"), "1"}}));
  EXPECT_TRUE(client_->remove(kConfigMaps, key("b")));
  EXPECT_TRUE(client_->merge_patch(kConfigMaps, key("c"), R"({"data":{"n":"2"}})"));
  EXPECT_TRUE(
      client_->merge_patch(kConfigMaps, key("d"), R"({"metadata":{"labels":{"show":"no"}}})"));
  EXPECT_TRUE(client_->remove(kConfigMaps, key("e")));
  create("e", "again", shown);
  create("unseen", "1");
  EXPECT_TRUE(mirror.has({{name("a"), "1"}, {name("c"), "2"}, {name("e"), "again"}}));
  EXPECT_EQ(mirror.removals(), 3);
  EXPECT_TRUE(
      client_->merge_patch(kConfigMaps, key("d"), R"({"metadata":{"labels":{"show":"yes"}}})"));
  EXPECT_TRUE(
      mirror.has({{name("a"), "1"}, {name("c"), "2"}, {name("d"), "1"}, {name("e"), "again"}}));
  EXPECT_TRUE(eventually([&] { return reflectors_->status(id).objects == 4; }, seconds(10)));
  EXPECT_TRUE(reflectors_->status(id).synced);
  EXPECT_EQ(reflectors_->status(id).problem, "");
  EXPECT_THAT(registry_.render(),
              HasSubstr("searchsync_watch_objects{namespace=\"default\",resource=\"configmaps\"}"));
}

TEST_P(KubeContract, ReflectorsStartAndStopWhileOthersGoOn) {
  create("a", "1");
  std::vector<ReflectorId> ids;
  for (int i = 0; i < 12; ++i) {
    ReflectorOptions options = follow();
    if (i % 2 == 1) options.content = Content::kMetadata;
    ids.push_back(reflectors_->start(options, add_mirror()));
  }
  const auto full = [&](const std::string& n) {
    return std::map<std::string, std::string>{{name("a"), n}};
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_TRUE(mirrors_[i]->has(full(i % 2 == 1 ? "" : "1")));
  }
  for (size_t i = 0; i < 6; ++i) {
    reflectors_->stop(ids[i]);
    mirrors_[i].reset();
  }
  EXPECT_FALSE(reflectors_->status(ids[0]).synced);
  EXPECT_TRUE(client_->merge_patch(kConfigMaps, key("a"), R"({"data":{"n":"2"}})"));
  for (size_t i = 6; i < ids.size(); ++i) {
    EXPECT_TRUE(mirrors_[i]->has(full(i % 2 == 1 ? "" : "2")));
  }
  reflectors_->stop(ids[0]);  // not known any more
  const ResourceType none{.group = "no.such", .version = "v1", .plural = "things", .kind = "Thing"};
  Mirror& nothing = add_mirror();
  const ReflectorId id = reflectors_->start({.type = none}, nothing);
  for (int i = 0; i < 1'000 && reflectors_->status(id).problem.empty(); ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_THAT(reflectors_->status(id).problem, HasSubstr("NotFound 404"));
  EXPECT_FALSE(reflectors_->status(id).synced);
}

TEST_P(KubeContract, ALeaseHasOneHolderAndIsHandedOver) {
  LeaderElectionOptions options{.lease = key("lease"),
                                .identity = "one",
                                .times = {.duration = milliseconds(6'000),
                                          .renew_deadline = milliseconds(4'000),
                                          .retry_period = milliseconds(200),
                                          .poll_period = milliseconds(200)}};
  std::atomic<int> led = 0;
  std::atomic<int> lost = 0;
  const LeaderElectionCallbacks callbacks{.started_leading = [&] { ++led; },
                                          .stopped_leading = [&] { ++lost; }};
  LeaderElection one(*transport_, registry_, options, callbacks);
  ASSERT_TRUE(eventually([&] { return one.is_leader(); }, seconds(30)));
  options.identity = "two";
  LeaderElection two(*transport_, registry_, options, callbacks);
  ASSERT_TRUE(eventually([&] { return two.holder() == "one"; }, seconds(10)));
  std::set<std::string> renewals;
  EXPECT_TRUE(eventually(
      [&] {
        const json lease = json::parse(client_->get(kLeases, key("lease")).value());
        renewals.insert(lease["spec"]["renewTime"].get<std::string>());
        return renewals.size() > 4;
      },
      seconds(30)));
  EXPECT_TRUE(one.is_leader());
  EXPECT_FALSE(two.is_leader());
  EXPECT_EQ(led, 1);
  one.release();
  EXPECT_FALSE(one.is_leader());
  EXPECT_EQ(lost, 1);
  EXPECT_TRUE(eventually([&] { return two.is_leader(); }, seconds(30)));
  EXPECT_TRUE(eventually([&] { return led == 2; }, seconds(30)));
  const json lease = json::parse(client_->get(kLeases, key("lease")).value());
  EXPECT_EQ(lease["spec"]["holderIdentity"], "two");
  EXPECT_EQ(lease["spec"]["leaseTransitions"], 1);
  two.release();
  EXPECT_TRUE(client_->remove(kLeases, key("lease")));
}

INSTANTIATE_TEST_SUITE_P(Places, KubeContract, testing::Values(Place::kFake, Place::kReal),
                         [](const testing::TestParamInfo<Place>& place) {
                           return place.param == Place::kFake ? "Fake" : "Real";
                         });

}  // namespace
}  // namespace searchsync::kube
