#include "ingest/core/answer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace searchsync::ingest {
namespace {

Batch two_events() {
  Batch batch;
  batch.bytes = R"(k{"id":"a"}k{})";
  batch.records = {{.begin = 0, .key_size = 1, .value_size = 10, .id_begin = 7, .id_size = 3},
                   {.begin = 11, .key_size = 1, .value_size = 2, .place = 2}};
  return batch;
}

const std::vector<Receipt> kReceipts = {{true, 3, 17}, {true, 0, 9}};

TEST(Answer, ReceiptsSayWhereEachEventIs) {
  const auto batch = two_events();
  EXPECT_EQ(batch.value(batch.records[0]), R"({"id":"a"})");
  EXPECT_EQ(render_accepted(batch, kReceipts, {}, ReceiptsAsked::kAll),
            R"({"accepted":2,"receipts":[{"index":0,"eventId":"a","partition":3,"offset":17},)"
            R"({"index":2,"partition":0,"offset":9}]})");
  EXPECT_EQ(render_accepted(batch, kReceipts, {}, ReceiptsAsked::kNone), R"({"accepted":2})");
}

TEST(Answer, RejectedEventsAreAllThere) {
  Faults faults;
  faults.add(1, "size", "is \"1\"");
  faults.add(1, "", "is large");
  for (size_t i = 3; i < 200; ++i) faults.add(i, "size", "is required");
  const auto json =
      nlohmann::json::parse(render_accepted(two_events(), kReceipts, faults, ReceiptsAsked::kNone));
  const auto& rejected = json["rejected"];
  ASSERT_EQ(rejected.size(), 198u);
  EXPECT_EQ(rejected[0].dump(),
            R"({"faults":[{"field":"size","reason":"is \"1\""},{"reason":"is large"}],"index":1})");
  EXPECT_EQ(rejected[1]["faults"].size(), 1u);
  EXPECT_EQ(rejected[197]["index"], 199);
  EXPECT_TRUE(rejected[197]["faults"].empty()) << "only so many are told";
}

TEST(Answer, FaultsSayWhatIsWrong) {
  Faults faults;
  faults.add(0, "a\"b", "is required");
  EXPECT_EQ(render_faults(faults),
            R"({"error":{"code":"invalid_events","message":"an event has faults: nothing was )"
            R"(taken","faults":[{"index":0,"field":"a\"b","reason":"is required"}]}})");
  faults.add(4, "b", "is required");
  auto json = nlohmann::json::parse(render_faults(faults));
  EXPECT_EQ(json["error"]["message"], "2 events have faults: nothing was taken");
  for (size_t i = 5; i < 99; ++i) faults.add(i, std::string(500, 'x'), "is no field");
  json = nlohmann::json::parse(render_faults(faults));
  EXPECT_EQ(json["error"]["faults"].size(), 50u);
  EXPECT_EQ(json["error"]["faults"][9]["field"].get<std::string>().size(), 100u);
  EXPECT_EQ(json["error"]["message"], "nothing was taken; these are the first 50 faults");
}

TEST(Answer, WhatIsNotAcknowledgedHasNoReceipt) {
  const std::vector<Receipt> some = {{}, {true, 0, 9}};
  EXPECT_EQ(render_unacknowledged("not_acknowledged", "send again", two_events(), some),
            R"({"error":{"code":"not_acknowledged","message":"send again"},)"
            R"("receipts":[{"index":2,"partition":0,"offset":9}]})");
}

}  // namespace
}  // namespace searchsync::ingest
