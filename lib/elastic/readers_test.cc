#include "lib/elastic/readers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/elastic/bulk.h"

namespace searchsync::elastic {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const IndexName kOld("events-1"), kOldDay("events-1-2026-11-29");
const IndexName kNew("events-2"), kNewDay("events-2-2026-11-29");

// As the engine answers; of each index also its write alias.
class Aliases {
 public:
  Aliases& have(const IndexName& index, const std::vector<std::string>& aliases) {
    json& all = indices_[index.get()]["aliases"];
    all[write_alias(index)] = json::object();
    for (const auto& one : aliases) all[one] = json::object();
    return *this;
  }
  Aliases& narrow(const IndexName& index, const std::string& alias) {
    indices_[index.get()]["aliases"][alias]["filter"] = json::object();
    return *this;
  }
  Aliases& foreign(const std::string& index) {
    indices_[index]["aliases"] = json::object();
    return *this;
  }
  std::string text() const { return indices_.dump(); }

 private:
  json indices_ = json::object();
};

std::vector<std::string> actions(const ReadersMove& move, std::vector<IndexName> targets,
                                 const Aliases& aliases) {
  const auto body = readers_actions(move, std::move(targets), aliases.text());
  if (!body) return {body.error().message};
  std::vector<std::string> all;
  if (body->empty()) return all;
  const json parsed = json::parse(*body);
  for (const auto& one : parsed.at("actions")) {
    for (const auto& [what, of] : one.items()) {
      all.push_back(what + " " + of.at("alias").get<std::string>() + " " +
                    of.at("index").get<std::string>());
    }
  }
  return all;
}

Aliases both_generations() {
  return Aliases()
      .have(kOld, {"events", "events@none"})
      .have(kOldDay, {"events", "events@2026-11-29"})
      .have(kNew, {})
      .have(kNewDay, {});
}

TEST(Readers, MoveAllAtOnceFromOneGenerationToAnother) {
  EXPECT_THAT(
      actions({"events", {kOld}, kNew}, {kOld, kOldDay}, both_generations()),
      UnorderedElementsAre("remove events events-1", "remove events@none events-1",
                           "remove events events-1-2026-11-29",
                           "remove events@2026-11-29 events-1-2026-11-29", "add events events-2",
                           "add events@none events-2", "add events events-2-2026-11-29",
                           "add events@2026-11-29 events-2-2026-11-29"));
}

TEST(Readers, WhatIsAsItShouldBeStays) {
  EXPECT_THAT(actions({"events", {kNew}, kNew}, {kNew, kNewDay},
                      Aliases()
                          .have(kNew, {"events", "events@none", "events-other"})
                          .have(kNewDay, {"events", "events@2026-11-29"})),
              IsEmpty());
}

TEST(Readers, WhatAWorkerHasMadeIsAdded) {
  EXPECT_THAT(
      actions({"events", {kOld}, kOld}, {kOld},
              Aliases()
                  .have(kOld, {"events", "events@none"})
                  .have(kOldDay, {})
                  .foreign("events-1-2026-11-28")),
      ElementsAre("add events events-1-2026-11-29", "add events@2026-11-29 events-1-2026-11-29"));
}

TEST(Readers, AFilterIsTakenAway) {
  EXPECT_THAT(actions({"events", {kOld}, kOld}, {kOld},
                      Aliases().have(kOld, {"events@none"}).narrow(kOld, "events")),
              ElementsAre("add events events-1"));
}

TEST(Readers, ADaysAliasLeadsToTheSameGeneration) {
  EXPECT_THAT(actions({"events", {kNew}, kNew}, {kNew, kNewDay},
                      Aliases()
                          .have(kOldDay, {"events@2026-11-29"})
                          .have(kNew, {"events", "events@none"})
                          .have(kNewDay, {"events", "events@2026-11-29"})),
              ElementsAre("remove events@2026-11-29 events-1-2026-11-29"));
}

TEST(Readers, AnIndexInOnePieceLeadsThere) {
  const IndexName foreign("legacy");
  EXPECT_THAT(actions({"events", {foreign}, kNew}, {foreign}, Aliases().have(kNew, {})),
              UnorderedElementsAre("add events events-2", "add events@none events-2",
                                   "remove events legacy"));
}

TEST(Readers, NothingMovesFromElsewhere) {
  EXPECT_THAT(actions({"events", {kOld}, kNew}, {kOldDay, IndexName("legacy")}, Aliases()),
              ElementsAre("alias events leads to events-1, legacy, not to events-1"));
  EXPECT_THAT(actions({"events", {}, kNew}, {kOldDay}, Aliases()),
              ElementsAre("alias events leads to events-1-2026-11-29, not to nothing"));
  // Done before.
  EXPECT_THAT(
      actions({"events", {kOld}, kNew}, {kNew}, Aliases().have(kNew, {"events", "events@none"})),
      IsEmpty());
}

TEST(Readers, MalformedAnswers) {
  const auto body = readers_actions({"events", {}, kNew}, {}, "[1]");
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace searchsync::elastic
