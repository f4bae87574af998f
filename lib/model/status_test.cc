#include "lib/model/status.h"

#include <gtest/gtest.h>

#include "lib/model/json.h"

namespace searchsync::model {
namespace {

using std::chrono::sys_seconds;

const SearchIndexStatus kStatus = {
    .observed_generation = 3,
    .phase = "Building",
    .message = "runs-2 is being built",
    .progress = 40,
    .serving = IndexName("runs-1"),
    .generation = Generation(1),
    .desired = IndexName("runs-2"),
    .lag_records = 12,
    .dead_letters = 1,
    .workers = {.replicas = 2, .ready = 1, .selector = "app=searchsync"},
    .tables = TablesStatus{.kept = 3, .ready = 2, .refused = 1},
    .conditions = {{.type = "Ready",
                    .status = ConditionStatus::kFalse,
                    .reason = "Building",
                    .message = "runs-2 is being built",
                    .last_transition_time = sys_seconds(std::chrono::seconds(1'769'860'800)),
                    .observed_generation = 3}},
    .notes = JsonText{R"({"leads":{}})"}};

TEST(Status, IsWrittenAsTheResourceHasIt) {
  const std::string json =
      R"({"observedGeneration":3,"phase":"Building","message":"runs-2 is being built",)"
      R"("progress":40,"serving":"runs-1","generation":1,"desired":"runs-2","lagRecords":12,)"
      R"("deadLetters":1,"workers":{"replicas":2,"ready":1,"selector":"app=searchsync"},)"
      R"("tables":{"kept":3,"ready":2,"refused":1},)"
      R"("conditions":[{"type":"Ready","status":"False","reason":"Building",)"
      R"("message":"runs-2 is being built","lastTransitionTime":"2026-01-31T12:00:00Z",)"
      R"("observedGeneration":3}],"notes":{"leads":{}}})";
  EXPECT_EQ(to_json(kStatus), json);
  EXPECT_EQ(parse_search_index_status(json).value(), kStatus);
  const SourceBindingStatus binding{
      .observed_generation = 1, .state = "Running", .lag_records = 0, .conditions = {}};
  EXPECT_EQ(parse_source_binding_status(to_json(binding)).value(), binding);
}

TEST(Status, TakesWhatAnotherVersionWrote) {
  const auto status = parse_search_index_status(
      R"({"phase":"Dreaming","progress":"half","invented":{"a":1},"serving":"runs-1",)"
      R"("workers":{"replicas":2,"spare":1},"conditions":[{"type":"Novel"}],"notes":5})");
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->phase, "Dreaming");
  EXPECT_EQ(status->progress, 0);
  EXPECT_EQ(status->serving, IndexName("runs-1"));
  EXPECT_EQ(status->workers.replicas, 2);
  EXPECT_FALSE(status->notes.has_value());
  EXPECT_FALSE(to_json(*status).empty());
  EXPECT_EQ(parse_search_index_status("{}").value(), SearchIndexStatus{});
  EXPECT_EQ(parse_search_index_status("[]").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_source_binding_status("{").error().code, ErrorCode::kMalformed);
}

TEST(Status, MessagesAreWhatTheApiServerTakes) {
  SearchIndexStatus status;
  status.message = std::string(kStatusMessageBytesMax - 4, 'x') + "üüüü";
  const auto cut = parse_search_index_status(to_json(status)).value().message;
  EXPECT_EQ(cut, std::string(kStatusMessageBytesMax - 4, 'x') + "…");
  status.message =
      "a\xff"
      "b";
  EXPECT_EQ(parse_search_index_status(to_json(status)).value().message, "a\uFFFDb");
}

}  // namespace
}  // namespace searchsync::model
