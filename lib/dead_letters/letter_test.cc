#include "lib/dead_letters/letter.h"

#include <gtest/gtest.h>

#include "lib/kafka/read_ranges.h"
#include "lib/testing/mock_kafka.h"

namespace searchsync::dead_letters {
namespace {

TEST(Place, IsReadAsItIsWritten) {
  for (const Place& place : {Place{Partition(0), Offset(17)}, Place{Partition(3), Offset(0)}}) {
    EXPECT_EQ(parse_place(to_string(place)), place);
  }
  for (const auto* wrong : {"", "17", "/", "0/", "/1", "0/1/2", "-1/3", "0/-3", "a/1", "0/1x",
                            "0/ 1", "9999999999/1", "0/99999999999999999999"}) {
    const auto parsed = parse_place(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find("0/17"), std::string::npos);
  }
}

// Through a topic: the form is headers.
class LetterTest : public ::testing::Test {
 protected:
  LetterTest() { cluster_.create_topic("t", 1); }

  void write(std::optional<std::string_view> key, std::optional<std::string_view> value,
             const std::vector<kafka::Header>& headers) {
    auto producer = kafka::Producer::create(cluster_.config(), {}, [](const kafka::Delivery&) {});
    ASSERT_TRUE(producer);
    ASSERT_TRUE((*producer)->send("t", Partition(0), key, value, headers, 0));
    ASSERT_TRUE((*producer)->flush(std::chrono::seconds(20)));
  }

  void read(FunctionRef<void(const kafka::Message&)> visit) {
    const kafka::OffsetRange whole{{"t", Partition(0)}, Offset(0), Offset(100)};
    ASSERT_TRUE(kafka::read_ranges(cluster_.config(), {&whole, 1}, std::chrono::seconds(20),
                                   [&](const kafka::Message& message) {
                                     visit(message);
                                     return kafka::Reading::kGoesOn;
                                   }));
  }

  testing::MockKafka cluster_;
};

TEST_F(LetterTest, IsReadAsItWasWritten) {
  const Letter letter{.stage = kDecode,
                      .binding = "bug",
                      .topic = "bugs",
                      .partition = Partition(3),
                      .offset = Offset(1234567890123),
                      .log = "searchsync.default.runs.log-1",
                      .reason = "no JSON: é",
                      .key = std::nullopt,
                      .value = std::string_view("\0\xff", 2)};
  std::vector<std::string> numbers;
  write(letter.key, letter.value, headers_of(letter, numbers));
  int read_letters = 0;
  read([&](const kafka::Message& message) {
    ++read_letters;
    EXPECT_FALSE(read_mark(message));
    const auto again = read_letter(message);
    EXPECT_EQ(again.stage, letter.stage);
    EXPECT_EQ(again.binding, letter.binding);
    EXPECT_EQ(again.topic, letter.topic);
    EXPECT_EQ(again.partition, letter.partition);
    EXPECT_EQ(again.offset, letter.offset);
    EXPECT_EQ(again.log, letter.log);
    EXPECT_EQ(again.reason, letter.reason);
    EXPECT_EQ(again.key, letter.key);
    EXPECT_EQ(again.value, letter.value);
  });
  EXPECT_EQ(read_letters, 1);
}

TEST_F(LetterTest, AMarkIsNoLetterAndTheRestIs) {
  std::vector<std::string> numbers;
  write(std::nullopt, std::nullopt, headers_of({Offset(3), Offset(9), "dropped"}, numbers));
  for (const auto* wrong : {"", "3", "3-", "-9", "3-x", "3-9-12"}) {
    write("k", "v", {{"searchsync-done", wrong}});
  }
  write("k", "v", {{"searchsync-offset", "many"}, {"searchsync-partition", "-1"}});
  size_t marks = 0;
  size_t letters = 0;
  read([&](const kafka::Message& message) {
    if (const auto mark = read_mark(message)) {
      ++marks;
      EXPECT_EQ(mark->first, Offset(3));
      EXPECT_EQ(mark->last, Offset(9));
      EXPECT_EQ(mark->how, "dropped");
      return;
    }
    ++letters;
    const auto letter = read_letter(message);
    EXPECT_EQ(letter.offset, Offset(0));
    EXPECT_EQ(letter.value, "v");
  });
  EXPECT_EQ(marks, 1u);
  EXPECT_EQ(letters, 7u);
}

}  // namespace
}  // namespace searchsync::dead_letters
