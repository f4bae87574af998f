#include "operator/cluster/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/model/pipeline.h"
#include "operator/plan/test_resources.h"

namespace searchsync::cluster {
namespace {

using testing::HasSubstr;
using testing::Not;

IndexName name_of(const model::Resources& all) {
  return model::generation_index_name(all.indices[0], all.bindings);
}

class ChangesTest : public ::testing::Test {
 protected:
  std::string changes(const model::Resources& declared) const {
    return render_changes({.live = live_, .declared = declared, .standing = standing_});
  }
  // Of the index, what is the same but for this.
  template <class Edit>
  std::string edited(Edit edit) const {
    model::Resources declared{.indices = live_.indices, .bindings = {}};
    edit(declared.indices[0].spec);
    return changes(declared);
  }

  const model::Resources live_ = plan::resources({});
  std::map<plan::ObjectKey, Standing> standing_ = {
      {"default/test-runs", {.serving = name_of(live_).get(), .notes = {}}}};
};

TEST_F(ChangesTest, OfTheSameThereAreNone) {
  EXPECT_EQ(changes(live_),
            "SearchIndex default/test-runs: no change\n"
            "SourceBinding default/owner: no change\n"
            "SourceBinding default/run: no change\n"
            "SourceBinding default/team: no change\n"
            "\n"
            "SearchIndex default/test-runs, then: nothing changes\n");
}

TEST_F(ChangesTest, SomeChangeInPlace) {
  EXPECT_EQ(edited([](auto& spec) {
              spec.replicas = 2;
              spec.reindex.approved = "runs-0";
            }),
            "SearchIndex default/test-runs: changes\n"
            "  + spec.reindex.approved: \"runs-0\"\n"
            "  ~ spec.replicas: 1 -> 2\n"
            "\n"
            "SearchIndex default/test-runs, then: it changes in place, and nothing is rebuilt\n");
}

TEST_F(ChangesTest, OfADatabaseEachTableHasItsOwn) {
  auto declared = plan::resources({});
  declared.indices[0].metadata.name = "shop";
  declared.indices[0].spec.tables.emplace();
  declared.bindings.resize(1);
  declared.bindings[0].spec.index_ref = "shop";
  EXPECT_THAT(changes(declared), HasSubstr("SearchIndex default/shop, then: each table"));
}

TEST_F(ChangesTest, SomeBuildAnotherIndex) {
  auto declared = plan::resources({.shape = 1});
  declared.bindings.clear();
  EXPECT_EQ(changes(declared),
            "SearchIndex default/test-runs: changes\n"
            "  ~ spec.mappings._meta.shape: 0 -> 1\n"
            "\n"
            "SearchIndex default/test-runs, then: a reindex: " +
                name_of(plan::resources({.shape = 1})).get() + " is built beside " +
                name_of(live_).get() +
                "\n"
                "  because of mappings\n"
                "  from the document log that there is\n");
  EXPECT_THAT(edited([](auto& spec) { spec.reindex.revision = 1; }),
              HasSubstr("because of spec.reindex.revision"));
}

TEST_F(ChangesTest, SomeReadTheSourcesAgain) {
  const auto declared = plan::resources({.topology = 1});
  const auto text = changes({.indices = {}, .bindings = {declared.bindings.back()}});
  EXPECT_THAT(text, HasSubstr("SourceBinding default/bug: is created\n"));
  EXPECT_THAT(text, HasSubstr(name_of(declared).get() + " is built"));
  EXPECT_THAT(text, HasSubstr("because of binding bug is new\n"));
  EXPECT_THAT(text, HasSubstr("all read again"));
}

TEST_F(ChangesTest, FieldsAreComparedOneByOne) {
  model::Resources declared{.indices = {}, .bindings = {live_.bindings[0]}};
  declared.bindings[0].spec.fields = {{.from = "name", .to = "owner"}};
  const auto text = changes(declared);
  EXPECT_THAT(text, HasSubstr("  - spec.fields: {\"from\":\"name\",\"to\":\"ownerName\""));
  EXPECT_THAT(text, HasSubstr("  + spec.fields: {\"from\":\"name\",\"to\":\"owner\""));
  EXPECT_THAT(text, HasSubstr("because of fields of owner\n"));
}

TEST_F(ChangesTest, WhatHoldsItBackIsSaid) {
  const auto text = edited([](auto& spec) {
    spec.mappings.text = "{}";
    spec.suspend = true;
    spec.reindex.approval = model::Approval::kManual;
    spec.reindex.checks = {{.name = "a", .query = {"{}"}}};
  });
  EXPECT_THAT(text, HasSubstr("not before spec.suspend is taken away"));
  EXPECT_THAT(text, HasSubstr("checked first by spec.reindex.checks: 1\n"));
  EXPECT_THAT(text, HasSubstr("kubectl searchsync approve test-runs"));
}

TEST_F(ChangesTest, WhoIsHeldBackBuildsNothing) {
  const auto serving = name_of(live_).get();
  const auto held = [&](std::string serve) {
    return edited([&](auto& spec) {
      spec.mappings.text = "{}";
      spec.reindex.serve = std::move(serve);
    });
  };
  EXPECT_THAT(held(serving), HasSubstr("then: readers stay on " + serving + ", and nothing is"));
  EXPECT_THAT(held("runs-0"),
              HasSubstr("then: runs-0, if it is kept warm, takes over from " + serving + "\n"));
}

TEST_F(ChangesTest, AReindexThatIsUnderWayGoesOn) {
  standing_.begin()->second.serving = "runs-0";
  EXPECT_THAT(changes(live_), HasSubstr("then: nothing changes\n"));
  EXPECT_THAT(edited([](auto& spec) { spec.replicas = 2; }),
              HasSubstr("then: it changes in place; " + name_of(live_).get() +
                        " is being built already\n"));
}

TEST_F(ChangesTest, AfterARollbackWhatIsDeclaredTakesOver) {
  auto live = live_;
  live.indices[0].spec.reindex.serve = "runs-0";
  auto& standing = standing_.begin()->second;
  standing.serving = "runs-0";
  standing.notes.generations[name_of(live_)] = {.complete = true, .served = true};
  auto declared = live_;
  declared.indices[0].spec.reindex.approval = model::Approval::kManual;
  const auto text = render_changes({.live = live, .declared = declared, .standing = standing_});
  EXPECT_THAT(text, HasSubstr("- spec.reindex.serve: \"runs-0\"\n"));
  EXPECT_THAT(text, HasSubstr("then: " + name_of(live_).get() +
                              ", which is kept, takes over from runs-0\n"));
  EXPECT_THAT(text, Not(HasSubstr("approve")));
}

TEST_F(ChangesTest, WhatCanBeMixedComesWithNewPartitions) {
  constexpr auto kNewPartitions = model::OnMappingChange::kNewPartitions;
  const plan::Declared declared{.hours = 3, .on_mapping_change = kNewPartitions};
  auto next = declared;
  next.fields = 1;
  const auto live = plan::resources(declared);
  const auto serving = name_of(live);
  standing_.begin()->second.serving = serving.get();
  const auto from = [&](const model::Resources& before, const model::Resources& now) {
    return render_changes({.live = before, .declared = now, .standing = standing_});
  };
  const auto then = "partitions made from then on have other mappings, fields of run; " +
                    serving.get() + " is not rebuilt\n";
  EXPECT_THAT(from(live, plan::resources(next)), HasSubstr(then));
  auto other = next;
  other.shape = 1;
  EXPECT_THAT(from(live, plan::resources(other)),
              HasSubstr("because of mappings, fields of run (the mappings differ in more than "
                        "their fields)\n"));
  // Once it has become what is declared it still has its name.
  const auto renewed = plan::resources(next);
  auto& note = standing_.begin()->second.notes.generations[serving];
  note.content = model::generation_hash(renewed.indices[0], renewed.bindings);
  auto in_place = next;
  in_place.replicas = 2;
  EXPECT_THAT(from(renewed, plan::resources(in_place)),
              HasSubstr("it changes in place, and nothing is rebuilt\n"));
  EXPECT_THAT(from(renewed, live), HasSubstr("partitions made from then on have other"));
}

TEST_F(ChangesTest, WhatIsKeptIsNotBuiltAgain) {
  const auto before = plan::resources({.shape = 7});
  standing_.begin()->second.notes.generations[name_of(before)] = {.complete = true};
  const auto text = changes(before);
  EXPECT_THAT(text, HasSubstr(name_of(before).get() + ", which is kept, takes over from " +
                              name_of(live_).get() + "\n"));
  EXPECT_THAT(text, Not(HasSubstr("is built")));
}

TEST_F(ChangesTest, WhereNothingIsAllIsBuilt) {
  const model::Resources nothing;
  EXPECT_THAT(
      render_changes({.live = nothing, .declared = live_, .standing = {}}),
      HasSubstr("then: " + name_of(live_).get() + " is built; readers get it when it is complete"));
  const model::Resources alone{.indices = live_.indices, .bindings = {}};
  EXPECT_THAT(render_changes({.live = nothing, .declared = alone, .standing = {}}),
              HasSubstr("it waits for its bindings"));
}

TEST_F(ChangesTest, ABindingThatMovesConcernsBothIndices) {
  auto live = live_;
  live.indices.push_back(live.indices[0]);
  live.indices[1].metadata.name = "others";
  live.indices[1].spec.index_name = "others";
  model::Resources declared{.indices = {}, .bindings = {live.bindings[2]}};
  declared.bindings[0].spec.index_ref = "others";
  const auto text = render_changes({.live = live, .declared = declared, .standing = standing_});
  EXPECT_THAT(text, HasSubstr("~ spec.indexRef.name: \"test-runs\" -> \"others\""));
  EXPECT_THAT(text, HasSubstr("because of binding team is gone"));
  EXPECT_THAT(text, HasSubstr("SearchIndex default/others, then: "));
}

}  // namespace
}  // namespace searchsync::cluster
