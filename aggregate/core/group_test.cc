#include "aggregate/core/group.h"

#include <gtest/gtest.h>

#include "aggregate/core/test_definition.h"

namespace searchsync::aggregate {
namespace {

using model::AggregateFunction;

// Events of one group, one after the other.
class OfOne {
 public:
  explicit OfOne(const model::AggregateSpec& spec, std::vector<std::string> key = {"domain"},
                 std::string record_key = "d")
      : record_key_(std::move(record_key)),
        definition(key, key, spec),
        reader_(definition, Partition(0), 1),
        group(definition) {}

  Result<Group::Change> add(const std::string& value) {
    const auto event = reader_.read({.key = record_key_, .value = value});
    EXPECT_TRUE(event) << event.error().message;
    if (!event) return std::unexpected(event.error());
    key_ = event->group;
    auto change = group.apply(*event, Offset(offset_++));
    // As it is kept between two events.
    std::string bytes, again;
    group.encode(bytes);
    EXPECT_TRUE(group.decode(bytes));
    group.encode(again);
    EXPECT_EQ(bytes, again);
    return change;
  }
  std::string row() {
    std::string out;
    group.append_row(key_, out);
    return out;
  }

 private:
  const std::string record_key_;

 public:
  const Definition definition;

 private:
  EventReader reader_;
  std::string key_;
  int64_t offset_ = 0;

 public:
  Group group;
};

std::string typed(const char* type) {
  return std::string(R"({"domain":"d","type":")") + type + "\"}";
}

TEST(Group, CountsAndSaysWhenTheStatusChanges) {
  OfOne of(domains_spec());
  EXPECT_EQ(of.add(typed("delivered")), Group::Change::kDerived);  // it is new
  EXPECT_EQ(of.add(typed("opened")), Group::Change::kNone);
  EXPECT_EQ(of.add(typed("delivered")), Group::Change::kValues);
  EXPECT_EQ(of.row(), R"({"domain":"d","delivered":2,"bounced":0,"status":"unknown"})");
  EXPECT_EQ(of.add(typed("delivered")), Group::Change::kDerived);
  EXPECT_EQ(of.row(), R"({"domain":"d","delivered":3,"bounced":0,"status":"catch-all"})");
  EXPECT_EQ(of.add(typed("bounced")), Group::Change::kDerived);
  EXPECT_EQ(of.add(typed("bounced")), Group::Change::kValues);
  EXPECT_EQ(of.row(), R"({"domain":"d","delivered":3,"bounced":2,"status":"not-catch-all"})");
}

TEST(Group, ARuleSticksOnceItHasHeldAlsoBehindAnother) {
  model::AggregateSpec spec;
  spec.columns = {{.name = "sum", .compute = AggregateFunction::kSum, .column = "n"}};
  spec.derived = {{.name = "s",
                   .rules = {{.when = {{"sum", {}, -10}}, .value = "low"},
                             {.when = {{"sum", {}, -5}}, .value = "was low", .sticks = true},
                             {.when = {{"sum", 5, {}}}, .value = "high"}},
                   .otherwise = "none"}};
  OfOne of(spec);
  const auto add = [&](int n) {
    EXPECT_TRUE(of.add(R"({"domain":"d","n":)" + std::to_string(n) + "}"));
    const auto row = of.row();
    return row.substr(row.find("\"s\":") + 4);
  };
  EXPECT_EQ(add(6), "\"high\"}");
  EXPECT_EQ(add(-3), "\"none\"}");
  EXPECT_EQ(add(-20), "\"low\"}");  // and the one behind it holds too
  EXPECT_EQ(add(40), "\"was low\"}");
}

TEST(Group, SumsFirstsLastsAndExtremes) {
  model::AggregateSpec spec;
  const auto column = [](const char* name, AggregateFunction function, const char* of) {
    return model::AggregateColumn{.name = name, .compute = function, .column = of};
  };
  spec.columns = {column("sum", AggregateFunction::kSum, "n"),
                  column("least", AggregateFunction::kMin, "n"),
                  column("most", AggregateFunction::kMax, "n"),
                  column("first", AggregateFunction::kFirst, "s"),
                  column("last", AggregateFunction::kLast, "s"),
                  column("oldest", AggregateFunction::kFirst, "s"),
                  column("newest", AggregateFunction::kLast, "s"),
                  column("greatest", AggregateFunction::kMax, "s")};
  spec.columns[5].by = spec.columns[6].by = "at";
  OfOne of(spec);
  EXPECT_TRUE(of.add(R"({"domain":"d"})"));
  EXPECT_EQ(of.row(), R"({"domain":"d","sum":0,"least":null,"most":null,"first":null,"last":null,)"
                      R"("oldest":null,"newest":null,"greatest":null})");
  EXPECT_TRUE(of.add(R"({"domain":"d","n":10.5,"s":"b","at":"2026-01-02T00:00:00Z"})"));
  EXPECT_TRUE(of.add(R"({"domain":"d","n":9,"s":"a\n","at":"2026-01-01T01:00:00+02:00"})"));
  EXPECT_TRUE(of.add(R"({"domain":"d","n":-1,"s":"c","at":"2026-01-01T00:00:00.5Z"})"));
  EXPECT_TRUE(of.add(R"({"domain":"d","s":true})"));  // without a time
  EXPECT_EQ(of.row(), R"({"domain":"d","sum":18.5,"least":-1,"most":10.5,"first":"b","last":true,)"
                      R"("oldest":"a\n","newest":"b","greatest":"c"})");
  // At one time, the first stays and the last is replaced.
  EXPECT_TRUE(of.add(R"({"domain":"d","s":"x","at":"2026-01-02T00:00:00Z"})"));
  EXPECT_TRUE(of.add(R"({"domain":"d","s":"y","at":"2025-12-31T23:00:00Z"})"));
  EXPECT_NE(of.row().find(R"("oldest":"a\n","newest":"x")"), std::string::npos) << of.row();
}

TEST(Group, RefusesASumThatIsTooLongAndIsAsBefore) {
  auto spec = domains_spec();
  spec.columns.push_back({.name = "sum", .compute = AggregateFunction::kSum, .column = "n"});
  OfOne of(spec);
  EXPECT_TRUE(of.add(R"({"domain":"d","type":"bounced","n":9999999999999999999})"));
  const auto before = of.row();
  const auto refused = of.add(R"({"domain":"d","type":"bounced","n":1})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  EXPECT_EQ(of.row(), before);
}

TEST(Group, WritesTheKeyAsItsFirstEventDid) {
  model::AggregateSpec spec;
  spec.columns = {{.name = "n"}};
  OfOne of(spec, {"store", "day", "ok"}, R"(["s\u001f\u001e","7","true"])");
  EXPECT_TRUE(of.add(R"({"store":"s\u001f\u001e","day":7,"ok":true})"));
  EXPECT_TRUE(of.add(R"({"store":"s\u001f\u001e","day":"7","ok":true})"));  // the same group
  EXPECT_EQ(of.row(), R"({"store":"s\u001f\u001e","day":7,"ok":true,"n":2})");
}

TEST(Group, AKeyThatWasNeverSeenHasARowToo) {
  const Definition definition({"domain"}, {"domain"}, domains_spec());
  EXPECT_EQ(unseen_row(definition, "never.org", 1),
            R"({"domain":"never.org","delivered":0,"bounced":0,"status":"unknown"})");
}

TEST(Group, RefusesBytesThatItDidNotWrite) {
  OfOne of(domains_spec());
  EXPECT_TRUE(of.add(typed("delivered")));
  std::string bytes;
  of.group.encode(bytes);
  EXPECT_FALSE(of.group.decode(""));
  EXPECT_FALSE(of.group.decode(bytes + "x"));
  EXPECT_FALSE(of.group.decode(bytes.substr(0, bytes.size() - 1)));
  std::string other = bytes;
  other[0] = 9;  // of another form
  EXPECT_FALSE(of.group.decode(other));
  EXPECT_EQ(of.group.through(), Offset(-1));
  EXPECT_TRUE(of.group.decode(bytes));
}

}  // namespace
}  // namespace searchsync::aggregate
