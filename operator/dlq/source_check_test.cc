#include "operator/dlq/source_check.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace searchsync::dlq {
namespace {

using testing::HasSubstr;
using Kind = SourceCheck::Kind;

model::SourceBinding binding(model::RecordFormat format, std::vector<std::string> key = {"id"}) {
  model::SourceBinding made;
  made.metadata.name = "b";
  made.spec.source = model::KafkaSource{.topic = "t", .format = format};
  made.spec.key = std::move(key);
  return made;
}

KeptLetter letter(int64_t offset, std::optional<std::string> key,
                  std::optional<std::string> value) {
  return {.stage = "decode",
          .binding = "b",
          .topic = "t",
          .offset = Offset(offset),
          .key = std::move(key),
          .value = std::move(value)};
}

class SourceCheckTest : public ::testing::Test {
 protected:
  void start(const std::vector<KeptLetter>& letters) {
    std::vector<SourceCheck::Subject> subjects;
    letters_ = letters;
    for (const auto& one : letters_) subjects.push_back({&one, &binding_});
    check_.emplace(subjects);
  }
  void record(int64_t offset, std::optional<std::string_view> key,
              std::optional<std::string_view> value) {
    check_->read(Offset(offset), key, value, 1'700'000'000'000);
  }
  SourceCheck::Verdict verdict(int64_t begin = 0, int64_t end = 100, size_t of = 0) {
    return check_->verdicts(Offset(begin), Offset(end)).at(of);
  }

  model::SourceBinding binding_ = binding(model::RecordFormat::kJson);
  std::vector<KeptLetter> letters_;
  std::optional<SourceCheck> check_;
};

TEST_F(SourceCheckTest, TheLastWordOnARowIsReplayedWithItsPosition) {
  start({letter(5, "k", R"({"id":1,"n":2})")});
  EXPECT_EQ(check_->first(), Offset(5));
  record(5, "k", R"({"id":1,"n":2})");
  record(6, "k", R"({"id":2,"n":9})");  // another row, whatever the record's key
  record(7, "k", "not JSON");           // nothing is known of it
  const auto found = verdict();
  EXPECT_EQ(found.kind, Kind::kNewest);
  EXPECT_EQ(found.row.key, "1");
  EXPECT_EQ(found.row.row, R"({"id":1,"n":2})");
  EXPECT_EQ(found.row.position, (worker::Position{0, 5}));
  EXPECT_EQ(found.row.changed_at_us, 1'700'000'000'000'000u);
}

TEST_F(SourceCheckTest, WhatIsNewerWins) {
  const std::vector<std::pair<std::string, std::optional<std::string>>> newer = {
      {"x", R"({"id":1})"}, {R"({"id":1})", std::nullopt}, {"1", std::nullopt}};
  for (const auto& [key, value] : newer) {
    start({letter(5, "k", R"({"id":1})")});
    record(5, "k", R"({"id":1})");
    record(9, key, value);
    EXPECT_EQ(verdict().kind, Kind::kOlder) << key;
    EXPECT_THAT(verdict().why, HasSubstr("offset 9"));
  }
}

TEST_F(SourceCheckTest, OfTwoTheNewerIsReplayed) {
  start({letter(5, "k", R"({"id":1})"), letter(6, "k", R"({"id":1,"n":1})")});
  record(5, "k", R"({"id":1})");
  record(6, "k", R"({"id":1,"n":1})");
  EXPECT_EQ(verdict(0, 100, 0).kind, Kind::kOlder);
  EXPECT_EQ(verdict(0, 100, 1).kind, Kind::kNewest);
}

TEST_F(SourceCheckTest, WhatStillCannotBeReadSaysWhy) {
  start({letter(5, "k", "not JSON")});
  record(5, "k", "not JSON");
  EXPECT_EQ(verdict().kind, Kind::kRefused);
  EXPECT_THAT(verdict().why, HasSubstr("binding b"));
}

TEST_F(SourceCheckTest, WhatIsNoLongerThereIsNotReplayed) {
  start({letter(5, "k", R"({"id":1})")});
  record(6, "other", R"({"id":7})");
  EXPECT_EQ(verdict(0).kind, Kind::kOlder) << "compaction took it: a newer one came";
  EXPECT_EQ(verdict(6).kind, Kind::kUnknown) << "it is before all that is kept";
  EXPECT_EQ(verdict(0, 3).kind, Kind::kUnknown) << "the topic is shorter than that";
}

TEST_F(SourceCheckTest, AnotherRecordInItsPlaceIsNotReplayed) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::optional<std::string>, std::optional<std::string>>>{
           {"k", R"({"id":2})"},
           {"x", R"({"id":1})"},
           {std::nullopt, R"({"id":1})"},
           {"k", std::nullopt}}) {
    start({letter(5, "k", R"({"id":1})")});
    record(5, key, value);
    EXPECT_EQ(verdict().kind, Kind::kUnknown);
    EXPECT_THAT(verdict().why, HasSubstr("made anew"));
  }
}

TEST_F(SourceCheckTest, PositionsOfTheSourceDecideWhereThereAreSome) {
  binding_ = binding(model::RecordFormat::kDebezium);
  const auto event = [](int lsn, const char* op) {
    return fmt::format(R"({{"op":"{}","after":{{"id":1}},)"
                       R"("source":{{"connector":"postgresql","epoch":1,"lsn":{}}}}})",
                       op, lsn);
  };
  start({letter(5, R"({"id":1})", event(50, "c"))});
  record(5, R"({"id":1})", event(50, "c"));
  record(6, R"({"id":1})", event(40, "u"));  // sent again, late
  EXPECT_EQ(verdict().kind, Kind::kNewest);
  EXPECT_EQ(verdict().row.position, (worker::Position{1, 50}));
  record(7, R"({"id":1})", event(60, "u"));
  EXPECT_EQ(verdict().kind, Kind::kOlder);
}

TEST_F(SourceCheckTest, ARecordThatSaysNothingIsDone) {
  binding_ = binding(model::RecordFormat::kDebezium);
  const std::string truncation = R"({"op":"t","source":{"connector":"x"}})";
  start({letter(5, R"({"id":1})", truncation)});
  record(5, R"({"id":1})", truncation);
  EXPECT_EQ(verdict().kind, Kind::kSilent);
}

}  // namespace
}  // namespace searchsync::dlq
