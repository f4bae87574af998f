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
  note = {.generation = Generation(1), .complete = true, .served = true};
  note.retired_at = plan::TimePoint(std::chrono::milliseconds(1'700'000'000'123));
  note.gate = plan::GateNote{
      .round = 2, .sources = {{"t", {Offset(4)}}}, .log = {Offset(5)}, .begin = {Offset(6)}};
  return notes;
}

TEST(NotesFile, WhatIsWrittenIsReadAgain) {
  const AllNotes all = {{"default/a", notes()}, {"default/b", {}}};
  const auto read = notes_from_json(notes_to_json(all));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, all);
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
  for (const auto* text : {"", "{", "[]", "{\"a\":1}", "{\"a\":{}}"}) {
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
  EXPECT_EQ(generation->replicas, 2);
  EXPECT_EQ(generation->refresh_interval, std::chrono::seconds(5));
  EXPECT_FALSE(with_recipe("[]", recipe));
}

}  // namespace
}  // namespace searchsync::control
