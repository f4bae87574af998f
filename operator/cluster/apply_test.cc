#include "operator/cluster/apply.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace searchsync::cluster {
namespace {

using nlohmann::json;

// Of the spec, where `before` was applied.
json applied(const json& before, const json& live, const json& file) {
  const json object = {
      {"metadata",
       {{"annotations",
         {{"kubectl.kubernetes.io/last-applied-configuration", json{{"spec", before}}.dump()}}}}},
      {"spec", live}};
  return as_applied(object, {{"spec", file}})["spec"];
}

TEST(AsApplied, WhatAFileDoesNotSayStays) {
  EXPECT_EQ(
      applied({{"shards", 1}}, {{"shards", 1}, {"reindex", {{"serve", "a"}}}}, {{"shards", 2}}),
      (json{{"shards", 2}, {"reindex", {{"serve", "a"}}}}));
  EXPECT_EQ(
      applied({{"reindex", {{"revision", 1}}}}, {{"reindex", {{"revision", 1}, {"serve", "a"}}}},
              {{"reindex", {{"revision", 2}}}}),
      (json{{"reindex", {{"revision", 2}, {"serve", "a"}}}}));
}

TEST(AsApplied, WhatItSaysNoLongerGoes) {
  EXPECT_EQ(applied({{"shards", 1}, {"query", {{"timeout", "1s"}}}},
                    {{"shards", 1}, {"query", {{"timeout", "1s"}, {"listed", true}}}},
                    {{"query", {{"listed", false}}}}),
            (json{{"query", {{"listed", false}}}}));
  EXPECT_EQ(
      applied({{"query", {{"timeout", "1s"}}}}, {{"query", {{"timeout", "1s"}}}}, json::object()),
      json::object());
  EXPECT_EQ(applied(json::object(), {{"shards", 1}}, {{"shards", nullptr}}), json::object());
}

TEST(AsApplied, ListsAndOtherKindsAreReplaced) {
  EXPECT_EQ(applied({{"a", {1, 2}}}, {{"a", {1, 2, 3}}}, {{"a", {4}}}), (json{{"a", {4}}}));
  EXPECT_EQ(applied({{"a", 1}}, {{"a", 1}}, {{"a", {{"b", 2}}}}), (json{{"a", {{"b", 2}}}}));
  EXPECT_EQ(applied({{"a", 1}}, {{"a", {{"c", 1}}}}, {{"a", {{"b", 2}}}}),
            (json{{"a", {{"b", 2}, {"c", 1}}}}));
}

TEST(AsApplied, TheServerKnowsWhatItWasGiven) {
  const json live = json::parse(R"({
    "metadata": {"managedFields": [
      {"operation": "Apply", "fieldsV1": {"f:spec": {
        "f:shards": {}, "f:settings": {}, "f:query": {".": {}, "f:timeout": {}},
        "f:checks": {"k:{\"a\":1}": {}}}}},
      {"operation": "Update", "fieldsV1": {"f:spec": {"f:suspend": {}}}}]},
    "spec": {"shards": 1, "settings": {"a": 1}, "suspend": true, "checks": [1],
             "query": {"timeout": "1s", "a": 1}}})");
  EXPECT_EQ(
      as_applied(live, json::parse(R"({"spec": {"settings": {"b": 2}, "query": {}}})"))["spec"],
      json::parse(R"({"settings": {"b": 2}, "suspend": true, "query": {"a": 1}})"));
}

TEST(AsApplied, WithoutAWordOfWhatWasAppliedNothingGoes) {
  const json live = {{"spec", {{"shards", 1}}}};
  EXPECT_EQ(as_applied(live, {{"spec", {{"replicas", 2}}}}),
            (json{{"spec", {{"shards", 1}, {"replicas", 2}}}}));
  for (const char* text : {"", "{", "[]"}) {
    json broken = live;
    broken["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = text;
    EXPECT_EQ(as_applied(broken, {{"spec", json::object()}})["spec"], live["spec"]);
  }
}

}  // namespace
}  // namespace searchsync::cluster
