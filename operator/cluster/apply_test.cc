#include "operator/cluster/apply.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace searchsync::cluster {
namespace {

using nlohmann::json;

constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

// Of the spec, where `before` was applied.
json patch(const char* before, const char* live, const char* file) {
  const json object = {
      {"metadata", {{"annotations", {{kLastApplied, json{{"spec", json::parse(before)}}.dump()}}}}},
      {"spec", json::parse(live)}};
  return apply_patch(object, {{"spec", json::parse(file)}}).value("spec", json::object());
}

TEST(Apply, WhatAFileDoesNotSayStays) {
  EXPECT_EQ(
      patch(R"({"shards": 1})", R"({"shards": 1, "reindex": {"serve": "a"}})", R"({"shards": 2})"),
      R"({"shards": 2})"_json);
  EXPECT_EQ(
      patch(R"({"reindex": {"revision": 1}})", R"({"reindex": {"revision": 1, "serve": "a"}})",
            R"({"reindex": {"revision": 2}})"),
      R"({"reindex": {"revision": 2}})"_json);
  EXPECT_EQ(patch(R"({"shards": 1})", R"({"shards": 1, "suspend": true})", R"({"shards": 1})"),
            json::object());
}

TEST(Apply, WhatItSaysNoLongerGoes) {
  EXPECT_EQ(patch(R"({"shards": 1, "query": {"timeout": "1s", "size": 1}})",
                  R"({"shards": 1, "query": {"timeout": "1s", "size": 1, "listed": true}})",
                  R"({"query": {"size": 1}})"),
            R"({"shards": null, "query": {"timeout": null}})"_json);
  EXPECT_EQ(patch("{}", R"({"shards": 1})", R"({"shards": null})"), R"({"shards": null})"_json);
}

TEST(Apply, NullInAFileIsNotSaidTwice) {
  EXPECT_EQ(patch(R"({"reindex": null})", R"({"reindex": {"serve": "a"}})", R"({"reindex": null})"),
            json::object());
  EXPECT_EQ(patch(R"({"reindex": null})", R"({"reindex": {"serve": "a"}})",
                  R"({"reindex": {"revision": 2}})"),
            R"({"reindex": {"revision": 2}})"_json);
}

TEST(Apply, ListsAndOtherKindsAreReplaced) {
  EXPECT_EQ(patch(R"({"a": [1, 2]})", R"({"a": [1, 2, 3]})", R"({"a": [4]})"),
            R"({"a": [4]})"_json);
  EXPECT_EQ(patch(R"({"a": 1})", R"({"a": 1})", R"({"a": {"b": 2}})"), R"({"a": {"b": 2}})"_json);
  EXPECT_EQ(patch(R"({"a": 1})", R"({"a": {"c": 1}})", R"({"a": {"b": 2}})"),
            R"({"a": {"b": 2}})"_json);
}

TEST(Apply, ANumberIsTheSameHoweverItIsWritten) {
  EXPECT_EQ(patch(R"({"a": 100})", R"({"a": 100})", R"({"a": 100.0})"), json::object());
}

TEST(Apply, WithoutAWordOfWhatWasAppliedNothingGoes) {
  const json file = {{"spec", {{"replicas", 2}}}};
  json live = {{"spec", {{"shards", 1}}}};
  EXPECT_EQ(apply_patch(live, file), file);
  for (const json& broken : {json(""), json("{"), json("[]"), json(1), json()}) {
    live["metadata"]["annotations"][kLastApplied] = broken;
    EXPECT_EQ(apply_patch(live, file), file);
  }
}

TEST(Apply, TheServerKnowsWhoAppliedOnItsSide) {
  json live = json::parse(R"({"metadata": {"managedFields": [
      {"manager": "searchsync", "operation": "Apply", "subresource": "status"},
      {"manager": "kubectl-edit", "operation": "Update"}, 7,
      {"manager": "argocd-controller", "operation": "Apply"}]}})");
  EXPECT_EQ(server_side_manager(live), "argocd-controller");
  auto& managers = live["metadata"]["managedFields"];
  managers.push_back(R"({"manager": "kubectl", "operation": "Apply"})"_json);
  EXPECT_EQ(server_side_manager(live), "kubectl");
  live["metadata"]["annotations"][kLastApplied] = R"({"spec":{}})";
  EXPECT_EQ(server_side_manager(live), "");
  EXPECT_EQ(server_side_manager(json::object()), "");
}

}  // namespace
}  // namespace searchsync::cluster
