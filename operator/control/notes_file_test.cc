#include "operator/control/notes_file.h"

#include <gtest/gtest.h>

#include "lib/model/pipeline.h"
#include "operator/control/engine.h"
#include "operator/plan/test_resources.h"

#include <nlohmann/json.hpp>

namespace searchsync::control {
namespace {

plan::IndexNotes notes() {
  plan::IndexNotes notes;
  notes.declared = plan::resources({}).indices[0];
  notes.leads["log"] = {
      .generation = Generation(2), .offsets = {Offset(-1), Offset(7)}, .draining = {Generation(1)}};
  notes.generation_max["log"] = Generation(3);
  auto& note = notes.generations[IndexName("runs-1")];
  note = {.generation = Generation(1),
          .document_log = "log",
          .complete = true,
          .served = true,
          .settings = plan::IndexSettings{.replicas = 2,
                                          .refresh_interval = plan::kNeverRefreshed,
                                          .gc_deletes = std::chrono::hours(1)},
          .content = "1a2b3c4d"};
  notes.serving = IndexName("runs-1");
  notes.moving_to = IndexName("runs-2");
  note.retired_at = plan::TimePoint(std::chrono::milliseconds(1'700'000'000'123));
  note.gate = plan::GateNote{.round = 2,
                             .tables = {{"c", {Offset(3)}}},
                             .sources = {{"t", {Offset(4)}}},
                             .log = {Offset(5)},
                             .begin = {Offset(6)},
                             .refused = 7};
  return notes;
}

TEST(NotesFile, WhatIsWrittenIsReadAgain) {
  const AllNotes all = {{"default/a", notes()}, {"default/b", {}}};
  const auto read = notes_from_json(notes_to_json(all));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, all);
}

void drop_nulls(nlohmann::json& value) {
  for (auto one = value.begin(); value.is_object() && one != value.end();) {
    one = one->is_null() ? value.erase(one) : std::next(one);
  }
  if (!value.is_structured()) return;
  for (auto& one : value) drop_nulls(one);
}

TEST(NotesFile, IsReadWithoutItsNulls) {
  auto sparse = notes();
  sparse.generations[IndexName("runs-1")].gate.reset();
  sparse.generations[IndexName("runs-1")].settings.reset();
  sparse.serving.reset();
  sparse.generations[IndexName("runs-2")] = {.generation = Generation(2)};
  sparse.scaling[IndexName("runs-2")] = {.fewer_since = {}, .fewer_most = 3};
  // A client may write a status again without what is null in it.
  auto written = nlohmann::json::parse(notes_to_json(sparse));
  drop_nulls(written);
  const auto text = written.dump();
  ASSERT_EQ(text.find("null"), std::string::npos);
  const auto read = index_notes_from_json(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, sparse);
}

TEST(NotesFile, SurvivesItsProcessAndIsNothingWhenBroken) {
  const auto path = std::filesystem::path(testing::TempDir()) / "notes.json";
  std::filesystem::remove(path);
  {
    NotesFile file(path);
    EXPECT_TRUE(file.all().empty());
    ASSERT_TRUE(file.update("default/a", notes()));
    ASSERT_TRUE(file.update("default/b", {}));
    ASSERT_TRUE(file.forget("default/b"));
  }
  EXPECT_EQ(NotesFile(path).all(), (AllNotes{{"default/a", notes()}}));
  for (const auto* text : {"", "{", "[]", "{\"a\":1}", R"({"a":{"leads":{"log":{}}}})"}) {
    ASSERT_TRUE(write_file(path, text));
    EXPECT_TRUE(NotesFile(path).all().empty()) << text;
  }
}

TEST(Engine, TheRecipeIsReadBackFromTheIndex) {
  const auto all = plan::resources({.shape = 1});
  const model::PipelineConfig recipe{
      .index = all.indices[0],
      .bindings = all.bindings,
      .generation = Generation(4),
      .generation_index = model::generation_index_name(all.indices[0], all.bindings),
      .document_log = "log"};
  const auto body = with_recipe(R"({"mappings":{"properties":{}},"settings":{}})", recipe);
  ASSERT_TRUE(body) << body.error().message;
  elastic::IndexState state{.name = recipe.generation_index};
  state.mappings = nlohmann::json::parse(*body).at("mappings").dump();
  state.settings = R"({"index.number_of_replicas":"2","index.refresh_interval":"5s"})";
  EXPECT_FALSE(read_generation(state, "default/test-runs"));
  state.meta = elastic::IndexMeta{
      .generation = Generation(4), .document_log = "log", .index = "default/test-runs"};
  EXPECT_FALSE(read_generation(state, "default/other"));
  const auto generation = read_generation(state, "default/test-runs");
  ASSERT_TRUE(generation);
  EXPECT_EQ(generation->recipe, recipe);
  EXPECT_EQ(generation->settings.replicas, 2);
  EXPECT_EQ(generation->settings.refresh_interval, std::chrono::seconds(5));
  EXPECT_EQ(generation->settings.gc_deletes, std::chrono::seconds(60));
  EXPECT_EQ(differences(state, *generation->recipe), std::vector<std::string>{});
  EXPECT_FALSE(with_recipe("[]", recipe));

  const auto made = state;
  state.settings = R"({"index.gc_deletes":"2d"})";
  auto mappings = nlohmann::json::parse(made.mappings);
  mappings["_meta"]["shape"] = 7;
  state.mappings = mappings.dump();
  const auto changed = read_generation(state, "default/test-runs");
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->settings.gc_deletes, std::chrono::hours(48));
  EXPECT_EQ(differences(state, recipe), std::vector<std::string>{"_meta was changed"});
  // A recipe of a newer version cannot be read; one of another index is none.
  mappings["_meta"]["searchsync"]["recipe"] = R"({"from":"the future"})";
  state.mappings = mappings.dump();
  EXPECT_EQ(read_generation(state, "default/test-runs").value().recipe, std::nullopt);
  mappings["_meta"]["searchsync"].erase("recipe");
  state.mappings = mappings.dump();
  EXPECT_FALSE(read_generation(state, "default/test-runs"));
  std::vector<elastic::IndexState> others(3, made);
  others[0].name = IndexName("runs-other");
  others[1].meta->generation = Generation(5);
  others[2].meta->document_log = "other";
  for (const auto& other : others) EXPECT_FALSE(read_generation(other, "default/test-runs"));
}

}  // namespace
}  // namespace searchsync::control
