#include "capture/core/state.h"

#include <gtest/gtest.h>

namespace searchsync::capture {
namespace {

TEST(State, GoesThroughJson) {
  CaptureState state;
  state.system_id = "7123";
  state.timeline = 2;
  state.flushed = postgres::Lsn(0x1500000010);
  TableState& table = state.tables["public.t"];
  table.topic = "db.public.t";
  table.epoch = 3;
  table.floor = 99;
  table.key_columns = {"a", "b"};
  table.form = "00ff";
  table.last_key = {"1", "x\"y"};
  table.rows = 12;
  table.sweep = true;
  table.stopped = "why";
  state.tables["public.u"].phase = SnapshotPhase::kDone;
  state.tables["public.u"].left = true;
  const auto parsed = parse_state(to_json(state));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, state);
}

TEST(State, OtherBytesAreRefused) {
  EXPECT_EQ(parse_state("").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_state("{}").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_state(R"({"version":2})").error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace searchsync::capture
