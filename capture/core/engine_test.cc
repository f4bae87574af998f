#include "capture/core/engine.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/core/testing/wire.h"

namespace searchsync::capture {
namespace {

using nlohmann::json;
using wire::Cell;

struct Record {
  std::string key;
  std::optional<std::string> value;
};

class ListOutlet final : public Outlet {
 public:
  Result<void> append(size_t, std::string_view key, std::optional<std::string_view> value,
                      uint64_t) override {
    records.push_back(
        {std::string(key), value ? std::optional(std::string(*value)) : std::nullopt});
    return {};
  }
  Result<void> each_live_key(size_t, Position below,
                             FunctionRef<Result<void>(std::string_view key)> visit) override {
    asked_below = below;
    for (const std::string& key : live) {
      if (auto visited = visit(key); !visited) return visited;
    }
    return {};
  }
  std::vector<Record> records;
  std::vector<std::string> live;
  Position asked_below;
};

class MapDatabase final : public Database {
 public:
  Result<std::vector<ValueType>> value_types(std::span<const uint32_t> oids) override {
    std::vector<ValueType> types;
    for (const uint32_t oid : oids) types.push_back(builtin_type(oid).value_or(ValueType{}));
    return types;
  }
  Result<std::vector<std::optional<Values>>> rows(const Lookup& lookup) override {
    ++lookups;
    std::vector<std::optional<Values>> found;
    for (const auto& key : lookup.keys) {
      found.emplace_back();
      if (large.contains(key.at(0))) found.back() = Values{large.at(key.at(0))};
    }
    return found;
  }
  std::map<std::string, std::string> large;
  int lookups = 0;
};

class EngineTest : public testing::Test {
 protected:
  EngineTest() {
    CapturedTable table{.schema = "public", .name = "t", .source_name = "db", .state = {}};
    table.state.key_columns = {"id"};
    table.state.phase = SnapshotPhase::kDone;
    CaptureState saved;
    engine = std::make_unique<Engine>(
        Engine::Options{.version = "1", .database = "db", .nonce = "n", .barrier = {}},
        std::vector{table}, saved, database, outlet);
  }

  void feed(const std::string& bytes) {
    const auto fed = engine->on_message(bytes, 9);
    ASSERT_TRUE(fed) << fed.error().message;
  }
  void transaction(const std::vector<std::string>& messages, char identity = 'd') {
    lsn_ += 1000;
    feed(wire::begin(lsn_, 0, ++xid_));
    feed(wire::relation(7, "public", "t", {{"id", 23, true}, {"large", 25, identity == 'f'}},
                        identity));
    for (const std::string& message : messages) feed(message);
    feed(wire::commit(lsn_, lsn_ + 40));
  }
  json value(size_t index) { return json::parse(*outlet.records.at(index).value); }

  MapDatabase database;
  ListOutlet outlet;
  std::unique_ptr<Engine> engine;
  uint64_t lsn_ = 0;
  uint32_t xid_ = 0;
};

wire::Row row(const char* id, const char* large) {
  return {Cell::of(id), Cell::of(large)};
}
wire::Row key(const char* id) {
  return {Cell::of(id), Cell::null()};
}
wire::Row unchanged(const char* id) {
  return {Cell::of(id), Cell::unchanged()};
}

TEST_F(EngineTest, SaysUpToWhereAllIsAcknowledged) {
  using postgres::Lsn;
  engine->on_keepalive(Lsn(500));
  EXPECT_EQ(engine->acknowledged_through(), Lsn(500));
  transaction({wire::insert(7, row("1", "x"))});  // committed at 1000, until 1040
  EXPECT_EQ(engine->acknowledged_through(), Lsn(500));
  engine->on_keepalive(Lsn(2000));
  EXPECT_EQ(engine->acknowledged_through(), Lsn(500));
  engine->on_acknowledged(engine->newest_transaction());
  EXPECT_EQ(engine->acknowledged_through(), Lsn(2000));
  EXPECT_EQ(engine->state().flushed, Lsn(500)) << "it may not be visible yet";
}

TEST_F(EngineTest, AnEnvelopeIsDebeziums) {
  transaction({wire::insert(7, row("1", "x"))});
  ASSERT_EQ(outlet.records.size(), 1u);
  EXPECT_EQ(outlet.records[0].key, R"({"id":1})");
  EXPECT_EQ(*outlet.records[0].value,
            R"({"before":null,"after":{"id":1,"large":"x"},"source":{"version":"1",)"
            R"("connector":"postgresql","name":"db","ts_ms":946684800000,"ts_us":946684800000000,)"
            R"("snapshot":"false","db":"db","schema":"public","table":"t","txId":1,"lsn":1000,)"
            R"("epoch":1},"op":"c","ts_ms":9})");
}

TEST_F(EngineTest, ADeleteIsFollowedByATombstone) {
  transaction({wire::remove(7, 'K', key("1"))});
  ASSERT_EQ(outlet.records.size(), 2u);
  EXPECT_EQ(value(0).at("op"), "d");
  EXPECT_EQ(value(0).at("before"), json::parse(R"({"id":1,"large":null})"));
  EXPECT_FALSE(outlet.records[1].value);
}

TEST_F(EngineTest, AKeyChangeIsADeleteAndACreate) {
  transaction({wire::update(7, 'K', key("1"), row("2", "x"))});
  ASSERT_EQ(outlet.records.size(), 3u);
  EXPECT_EQ(outlet.records[0].key, R"({"id":1})");
  EXPECT_EQ(value(0).at("op"), "d");
  EXPECT_FALSE(outlet.records[1].value);
  EXPECT_EQ(outlet.records[2].key, R"({"id":2})");
  EXPECT_EQ(value(2).at("op"), "c");
}

TEST_F(EngineTest, PositionsRiseWithinAndBetweenTransactions) {
  transaction({wire::insert(7, row("1", "x")), wire::update(7, '\0', {}, row("1", "y"))});
  transaction({wire::update(7, '\0', {}, row("1", "z"))});
  std::vector<uint64_t> lsns;
  for (size_t i = 0; i < 3; ++i) lsns.push_back(value(i)["source"]["lsn"].get<uint64_t>());
  EXPECT_EQ(lsns, std::vector<uint64_t>({1000, 1001, 2000}));
}

TEST_F(EngineTest, UnchangedValuesAreAskedForOnceATransaction) {
  database.large = {{"1", "first"}, {"2", "second"}};
  transaction({wire::update(7, '\0', {}, unchanged("1")), wire::insert(7, row("3", "x")),
               wire::update(7, '\0', {}, unchanged("2"))});
  EXPECT_EQ(database.lookups, 1);
  ASSERT_EQ(outlet.records.size(), 3u);
  EXPECT_EQ(value(0)["after"]["large"], "first");
  EXPECT_EQ(outlet.records[1].key, R"({"id":3})");
  EXPECT_EQ(value(2)["after"]["large"], "second");
}

TEST_F(EngineTest, UnchangedValuesComeFromAFullOldRow) {
  transaction({wire::update(7, 'O', row("1", "old"), unchanged("1"))}, 'f');
  EXPECT_EQ(database.lookups, 0);
  EXPECT_EQ(value(0)["after"]["large"], "old");
  EXPECT_EQ(value(0)["before"]["large"], "old");
}

TEST_F(EngineTest, AVanishedRowIsLeftOutButItsOldKeyIsDeleted) {
  transaction({wire::update(7, '\0', {}, unchanged("1"))});
  EXPECT_TRUE(outlet.records.empty());
  transaction({wire::update(7, 'K', key("1"), unchanged("2"))});
  ASSERT_EQ(outlet.records.size(), 2u);
  EXPECT_EQ(outlet.records[0].key, R"({"id":1})");
  EXPECT_EQ(engine->counters(0).vanished, 2u);
}

TEST_F(EngineTest, ATruncateDeletesWhatIsAlive) {
  outlet.live = {R"({"id":1})", R"({"id":2})"};
  transaction({wire::truncate({7})});
  ASSERT_EQ(outlet.records.size(), 4u);
  EXPECT_EQ(value(0).at("op"), "d");
  EXPECT_FALSE(outlet.records[1].value);
  EXPECT_EQ(outlet.asked_below, (Position{1, 1001}));
}

TEST_F(EngineTest, ATableWithoutItsKeyIsStopped) {
  lsn_ += 1000;
  feed(wire::begin(lsn_, 0, 1));
  feed(wire::relation(7, "public", "t", {{"uid", 23, true}, {"large", 25, false}}));
  feed(wire::insert(7, row("1", "x")));
  feed(wire::commit(lsn_, lsn_ + 40));
  EXPECT_TRUE(outlet.records.empty());
  ASSERT_EQ(engine->stopped().size(), 1u);
  EXPECT_NE(engine->stopped()[0].find("its key was (id) and is now (uid)"), std::string::npos);
  EXPECT_FALSE(engine->state().tables.at("public.t").stopped.empty());
}

TEST_F(EngineTest, AMessageOutOfPlaceIsAnError) {
  EXPECT_FALSE(engine->on_message(wire::insert(7, row("1", "x")), 9));
  EXPECT_FALSE(engine->on_message(wire::commit(1, 2), 9));
  feed(wire::begin(1, 0, 1));
  EXPECT_FALSE(engine->on_message(wire::begin(2, 0, 2), 9));
  feed(wire::relation(7, "public", "t", {{"id", 23, true}, {"large", 25, false}}));
  EXPECT_FALSE(engine->on_message(wire::insert(7, {Cell::of("1")}), 9));
  EXPECT_FALSE(engine->on_message(wire::insert(7, {Cell::null(), Cell::null()}), 9));
}

}  // namespace
}  // namespace searchsync::capture
