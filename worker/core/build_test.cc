#include "worker/core/build.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "worker/core/tuple.h"

namespace searchsync::worker {
namespace {

model::SourceBinding binding(std::string name, std::vector<std::string> key,
                             model::Relation relation, std::vector<model::FieldMapping> fields) {
  model::SourceBinding made;
  made.metadata.name = std::move(name);
  made.spec.source = model::KafkaSource{.topic = made.metadata.name};
  made.spec.key = std::move(key);
  made.spec.relation = std::move(relation);
  made.spec.fields = std::move(fields);
  return made;
}

// Runs with an owner, who has a team; and with bugs, the newest first, whose severity must be
// known.
model::Pipeline pipeline(model::OnMissing team_missing = model::OnMissing::kNull) {
  const std::vector<model::SourceBinding> bindings = {
      binding("bug", {"id"},
              model::ChildrenRelation{
                  .from = {"run"},
                  .into = "bugs",
                  .order_by = {{.column = "at", .direction = model::Direction::kDescending}}},
              {{"id", "id"}, {"at", "at"}}),
      binding("owner", {"id"}, model::LookupRelation{.of = "root", .from = {"owner"}},
              {{"name", "owner.name"}}),
      binding("run", {"id"}, model::RootRelation{}, {{"id", "id"}, {"name", "name"}}),
      binding("severity", {"id"},
              model::LookupRelation{
                  .of = "bug", .from = {"severity"}, .on_missing = model::OnMissing::kExclude},
              {{"label", "severity"}}),
      binding("team", {"id"},
              model::LookupRelation{.of = "owner", .from = {"team"}, .on_missing = team_missing},
              {{"name", "owner.team"}}),
  };
  auto compiled = model::compile(model::SearchIndex{}, bindings);
  EXPECT_TRUE(compiled.has_value());
  return std::move(*compiled);
}

// Rows in maps. What was never put is unknown; an empty row is absent.
class Rows : public RowReader {
 public:
  explicit Rows(const model::Pipeline& pipeline) : pipeline_(pipeline) {}

  void put(std::string_view name, std::string_view key, std::string_view row) {
    model::BindingId id = 0;
    while (pipeline_.binding(id).name != name) ++id;
    std::string tuple;
    if (!row.empty()) {
      EXPECT_TRUE(Projector(pipeline_.binding(id)).project(row, tuple).has_value());
    }
    rows_[id].insert_or_assign(std::string(key), tuple);
  }

  Known root(std::string_view key, std::string& tuple) override {
    return find(pipeline_.root, key, tuple);
  }
  Known lookup(model::BindingId binding, std::string_view key, std::string& tuple) override {
    return find(binding, key, tuple);
  }
  void children(std::string_view,
                FunctionRef<void(model::BindingId, uint8_t, std::string_view, std::string_view)>
                    visit) override {
    for (const auto& [key, tuple] : rows_[0]) visit(0, 0, key, tuple);  // bug
  }

 private:
  Known find(model::BindingId id, std::string_view key, std::string& tuple) {
    const auto found = rows_[id].find(key);
    if (found == rows_[id].end()) return Known::kUnknown;
    if (found->second.empty()) return Known::kAbsent;
    tuple = found->second;
    return Known::kPresent;
  }

  const model::Pipeline& pipeline_;
  std::map<model::BindingId, std::map<std::string, std::string, std::less<>>> rows_;
};

constexpr std::string_view kEmpty =
    R"({"id":1,"name":null,"owner":{"name":null,"team":null},"bugs":[]})";

class BuildTest : public testing::Test {
 protected:
  // The document of root 1, or why there is none.
  std::string build() {
    std::string out = "before ";
    switch (builder_.build("1", rows_, out)) {
      case Built::kDocument:
        return out.substr(7);
      case Built::kNone:
        EXPECT_EQ(out, "before ");
        return "none";
      case Built::kWaiting:
        EXPECT_EQ(out, "before ");
        return "waiting";
    }
    return "";
  }

  const model::Pipeline pipeline_ = pipeline();
  Rows rows_{pipeline_};
  Builder builder_{pipeline_};
};

TEST_F(BuildTest, ADocumentWaitsForEachRowItRefersTo) {
  EXPECT_EQ(build(), "waiting");
  rows_.put("run", "1", R"({"id":1,"name":"r","owner":"o"})");
  EXPECT_EQ(build(), "waiting");
  rows_.put("owner", "o", R"({"name":"O","team":7})");
  EXPECT_EQ(build(), "waiting");
  rows_.put("team", "7", R"({"name":"T"})");
  EXPECT_EQ(build(), R"({"id":1,"name":"r","owner":{"name":"O","team":"T"},"bugs":[]})");
  rows_.put("bug", "b", R"({"id":"b","severity":1})");
  EXPECT_EQ(build(), "waiting");
  rows_.put("severity", "1", R"({"label":"low"})");
  EXPECT_EQ(build(), R"({"id":1,"name":"r","owner":{"name":"O","team":"T"},)"
                     R"("bugs":[{"id":"b","at":null,"severity":"low"}]})");
  rows_.put("run", "1", "");
  EXPECT_EQ(build(), "none");
}

TEST_F(BuildTest, WhatIsMissingIsNullOrExcludes) {
  rows_.put("run", "1", R"({"id":1})");
  EXPECT_EQ(build(), kEmpty);
  rows_.put("run", "1", R"({"id":1,"owner":"o"})");
  rows_.put("owner", "o", "");
  EXPECT_EQ(build(), kEmpty);
  rows_.put("severity", "1", "");
  rows_.put("bug", "b", R"({"id":"b","severity":1})");  // excluded
  rows_.put("bug", "c", R"({"id":"c"})");               // refers to none
  EXPECT_EQ(build(), kEmpty);

  const auto strict = pipeline(model::OnMissing::kExclude);
  Rows rows(strict);
  Builder builder(strict);
  std::string out;
  rows.put("run", "1", R"({"id":1,"owner":"o"})");
  rows.put("owner", "o", R"({"team":7})");
  rows.put("team", "7", "");
  EXPECT_EQ(builder.build("1", rows, out), Built::kNone);
  rows.put("team", "7", R"({"name":"T"})");
  EXPECT_EQ(builder.build("1", rows, out), Built::kDocument);
}

TEST_F(BuildTest, ElementsComeInTheirOrderThenByKey) {
  rows_.put("run", "1", R"({"id":1})");
  rows_.put("severity", "1", R"({"label":"low"})");
  for (const auto& [key, at] :
       std::map<std::string, std::string>{{"a", "null"}, {"b", "2"}, {"c", "10"}, {"d", "2.0"}}) {
    rows_.put("bug", key, R"({"id":")" + key + R"(","at":)" + at + R"(,"severity":1})");
  }
  EXPECT_EQ(build(),
            R"({"id":1,"name":null,"owner":{"name":null,"team":null},"bugs":[)"
            R"({"id":"a","at":null,"severity":"low"},{"id":"c","at":10,"severity":"low"},)"
            R"({"id":"b","at":2,"severity":"low"},{"id":"d","at":2.0,"severity":"low"}]})");
}

TEST(CompareFragments, OrdersAsOrderByWould) {
  // Each is smaller than the next; those in one row are equal.
  const std::vector<std::vector<std::string_view>> ascending[] = {
      {{"-1e3"}, {"-2"}, {"0", "0.0", "-0"}, {"2", "2.00", "20e-1"}, {"10"}, {"null", ""}},
      {{R"("")"}, {R"("10")"}, {R"("2")"}, {R"("a")", R"("\u0061")"}, {R"("b")"}, {"null"}},
      {{R"("2024-01-15T10:30:00Z")"},
       {R"("2024-01-15T10:30:00.1Z")"},
       {R"("2024-01-15T10:30:00.12Z")"},
       {R"("2024-01-15T10:30:01Z")"},
       {"null"}},
      {{R"("2024-01-15T10:30:00")"}, {R"("2024-01-15T10:30:00.5")"}, {R"("2024-01-16T00:00:00")"}},
      {{"false"}, {"true"}, {"null"}},
  };
  for (const auto& classes : ascending) {
    for (size_t i = 0; i < classes.size(); ++i) {
      for (size_t j = 0; j < classes.size(); ++j) {
        for (const auto a : classes[i]) {
          for (const auto b : classes[j]) {
            EXPECT_EQ(compare_fragments(a, b), i < j ? -1 : i > j ? 1 : 0) << a << ' ' << b;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace searchsync::worker
