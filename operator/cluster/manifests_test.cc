#include "operator/cluster/manifests.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/cluster/names.h"
#include "operator/cluster/objects.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;
using plan::Role;

plan::Workload workload(Role role) {
  return {.name = "worker-test-runs-1a2b3c4d-g1",
          .namespace_ = "default",
          .role = role,
          .owner = role == Role::kCapture ? "" : "default/test-runs",
          .replicas = 2,
          .config = R"({"a":1})",
          .hash = "0123",
          .secrets = {"es", "bug-db.prod"}};
}

std::map<std::string, json> by_kind(const plan::Workload& of, const PodOptions& options = {}) {
  std::map<std::string, json> all;
  const std::vector<Owner> owners = {{"test-runs", "uid-1"}};
  for (const auto& one : manifests(of, owners, options)) {
    const auto object = json::parse(one.json);
    EXPECT_EQ(object["metadata"]["name"], one.key.name);
    const bool stays = of.role == Role::kCapture && one.type == config_map_type();
    const json owner =
        object["metadata"].value("ownerReferences", json::array({json::object()}))[0];
    EXPECT_EQ(owner.value("uid", ""), stays ? "" : "uid-1") << one.type.kind;
    all[one.type.kind] = object;
  }
  return all;
}

json pod_spec(const std::map<std::string, json>& objects) {
  for (const auto* kind : {"StatefulSet", "Deployment"}) {
    const auto found = objects.find(kind);
    if (found != objects.end()) return found->second["spec"]["template"]["spec"];
  }
  return {};
}

TEST(Manifests, EveryPodIsRestrictedAndReadsOnlyItsOwnSecrets) {
  for (const auto role :
       {Role::kCapture, Role::kWorker, Role::kQuery, Role::kIngest, Role::kAggregate}) {
    const auto spec = pod_spec(by_kind(workload(role)));
    EXPECT_EQ(spec["automountServiceAccountToken"], false);
    EXPECT_EQ(spec["securityContext"]["runAsNonRoot"], true);
    EXPECT_EQ(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    const auto& context = spec["containers"][0]["securityContext"];
    EXPECT_EQ(context["readOnlyRootFilesystem"], true);
    EXPECT_EQ(context["allowPrivilegeEscalation"], false);
    EXPECT_EQ(context["capabilities"]["drop"], json({"ALL"}));
    std::set<std::string> secrets;
    for (const auto& volume : spec["volumes"]) {
      if (volume.contains("secret")) secrets.insert(volume["secret"]["secretName"]);
    }
    EXPECT_THAT(secrets, testing::ElementsAre("bug-db.prod", "es"));
  }
}

TEST(Manifests, AHashOnTheTemplateReplacesPodsAndNothingElseIsInIt) {
  auto one = workload(Role::kWorker);
  const auto before = by_kind(one)["StatefulSet"]["spec"]["template"];
  one.replicas = 7;
  EXPECT_EQ(by_kind(one)["StatefulSet"]["spec"]["template"], before);
  EXPECT_EQ(by_kind(one)["StatefulSet"]["spec"]["replicas"], 7);
  one.hash = "4567";
  EXPECT_NE(by_kind(one)["StatefulSet"]["spec"]["template"], before);
}

TEST(Manifests, WhatEachRoleNeeds) {
  using testing::Pair;
  EXPECT_THAT(by_kind(workload(Role::kCapture)),
              testing::UnorderedElementsAre(
                  Pair("ServiceAccount", testing::_), Pair("ConfigMap", testing::_),
                  Pair("NetworkPolicy", testing::_), Pair("Deployment", testing::_)));
  const auto query = by_kind(workload(Role::kQuery));
  EXPECT_TRUE(query.contains("Service"));
  EXPECT_TRUE(query.contains("PodDisruptionBudget"));
  const auto probe = pod_spec(query)["containers"][0]["readinessProbe"];
  EXPECT_EQ(probe["httpGet"]["path"], "/readyz");
  auto worker = workload(Role::kWorker);
  EXPECT_EQ(by_kind(worker)["StatefulSet"]["spec"].count("volumeClaimTemplates"), 0u);
  worker.storage = model::StorageSpec{"10Gi", "fast"};
  const auto claim = by_kind(worker)["StatefulSet"]["spec"]["volumeClaimTemplates"][0]["spec"];
  EXPECT_EQ(claim["storageClassName"], "fast");
  EXPECT_EQ(claim["resources"]["requests"]["storage"], "10Gi");
  worker.role = Role::kAggregate;
  const auto aggregate = by_kind(worker);
  EXPECT_EQ(aggregate.at("StatefulSet")["spec"]["volumeClaimTemplates"][0]["spec"], claim);
  EXPECT_FALSE(aggregate.contains("Service"));
  EXPECT_EQ(pod_spec(aggregate)["containers"][0]["args"][2], "aggregate");
  EXPECT_EQ(pod_spec(aggregate)["containers"][0]["args"].back(), "/var/lib/searchsync/state");
}

TEST(Manifests, EventsHaveAPortOfTheirOwn) {
  auto ingest = workload(Role::kIngest);
  ingest.name = "ingest-test-runs";
  const auto plain = by_kind(ingest);
  EXPECT_TRUE(plain.contains("PodDisruptionBudget"));
  EXPECT_EQ(plain.at("Service")["spec"]["ports"],
            json::parse(R"([{"name":"http","port":80,"targetPort":"events"}])"));
  const auto container = pod_spec(plain)["containers"][0];
  EXPECT_EQ(container["ports"][1], json::parse(R"({"name":"events","containerPort":8080})"));
  EXPECT_EQ(container["args"][2], "ingest");
  EXPECT_EQ(container["args"].back(), "0.0.0.0:8080");
  EXPECT_EQ(container["readinessProbe"]["httpGet"]["path"], "/readyz");
  EXPECT_EQ(container["readinessProbe"]["httpGet"]["port"], "http");
  EXPECT_EQ(plain.at("NetworkPolicy")["spec"]["ingress"][0]["ports"].size(), 2u);
  EXPECT_EQ(plain.at("Deployment")["spec"]["strategy"]["type"], "RollingUpdate");
  EXPECT_EQ(read_workload(deployment_type(), plain.at("Deployment")).role, Role::kIngest);

  ingest.scheme = plan::Scheme::kHttps;
  EXPECT_EQ(by_kind(ingest).at("Service")["spec"]["ports"],
            json::parse(R"([{"name":"https","port":443,"targetPort":"events"}])"));
}

TEST(Manifests, WhatACaptureLeavesSaysWhatItCaptured) {
  const auto config_map = by_kind(workload(Role::kCapture))["ConfigMap"];
  EXPECT_EQ(read_config(config_map.dump()), workload(Role::kCapture).config);
  const auto capture = read_capture(config_map_type(), config_map);
  ASSERT_TRUE(capture);
  EXPECT_EQ(capture->name, workload(Role::kCapture).name);
  EXPECT_FALSE(read_capture(config_map_type(), by_kind(workload(Role::kWorker))["ConfigMap"]));
  EXPECT_EQ(read_config("{}"), "");
}

// A database has more tables than a ConfigMap could hold as they are.
TEST(Manifests, LargeConfigurationsAreCompressed) {
  auto large = workload(Role::kCapture);
  large.config = R"({"tables": [)";
  for (int i = 0; i < 3000; ++i) {
    large.config += fmt::format(R"({{"table": "public.table_{}", "key": ["id"], "rest": "{}"}},)",
                                i, std::string(1000, 'x'));
  }
  const auto config_map = by_kind(large)["ConfigMap"];
  EXPECT_LT(config_map.dump().size(), 512u << 10);
  EXPECT_FALSE(config_map.contains("data"));
  EXPECT_EQ(read_config(config_map.dump()), large.config);
  EXPECT_TRUE(read_capture(config_map_type(), config_map));
}

TEST(Manifests, OptionsOfAllPodsAreInThemAndInTheirHash) {
  const PodOptions options{.image = "a:1", .pod_spec = R"({"nodeSelector":{"disk":"ssd"}})"};
  const auto spec = pod_spec(by_kind(workload(Role::kQuery), options));
  EXPECT_EQ(spec["nodeSelector"]["disk"], "ssd");
  EXPECT_EQ(spec["containers"][0]["image"], "a:1");
  auto other = options;
  other.image = "a:2";
  EXPECT_NE(other.hash(), options.hash());
}

TEST(Names, AreLabelsOfAtMost52CharactersAndStayApart) {
  auto one = workload(Role::kWorker);
  EXPECT_EQ(object_name(one), one.name);
  one.namespace_ = "team";
  one.name = "worker-team.test-runs-1a2b3c4d-g1";
  EXPECT_EQ(object_name(one), "worker-test-runs-1a2b3c4d-g1");
  one.name = "worker-team." + std::string(90, 'x') + "-g1";
  const auto first = object_name(one);
  one.name = "worker-team." + std::string(90, 'x') + "-g2";
  EXPECT_EQ(first.size(), 52u);
  EXPECT_NE(object_name(one), first);
  one.name = "worker-team.under_score.dots-g1";
  EXPECT_THAT(object_name(one), testing::MatchesRegex("worker-under-score-dots-g1-[0-9a-f]+"));
}

}  // namespace
}  // namespace searchsync::cluster
