#include "lib/dead_letters/tally.h"

#include <gtest/gtest.h>

#include "lib/kafka/producer.h"
#include "lib/testing/mock_kafka.h"

namespace searchsync::dead_letters {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class TallyTest : public ::testing::Test {
 protected:
  TallyTest() {
    cluster_.create_topic("t", 1);
    auto made = kafka::Producer::create(cluster_.config(), {}, [](const kafka::Delivery&) {});
    producer_ = std::move(*made);
  }

  void letters(std::string_view binding, int count, std::string_view log = "log") {
    for (int i = 0; i < count; ++i) {
      std::vector<std::string> numbers;
      write("v", headers_of(Letter{.stage = kDecode, .binding = binding, .log = log}, numbers));
    }
  }
  void mark(int64_t first, int64_t last) {
    std::vector<std::string> numbers;
    write(std::nullopt, headers_of({Offset(first), Offset(last), "dropped"}, numbers));
  }
  void write(std::optional<std::string_view> value, const std::vector<kafka::Header>& headers) {
    ASSERT_TRUE(producer_->send("t", Partition(0), std::nullopt, value, headers, 0));
    ++end_;
  }

  std::map<std::string, int64_t, std::less<>> catch_up(int64_t begin = 0,
                                                       milliseconds most = seconds(30)) {
    EXPECT_TRUE(producer_->flush(seconds(20)));
    const kafka::PartitionOffsets offsets{Partition(0), Offset(begin), Offset(end_)};
    const auto done = tally_.catch_up(cluster_.config(), {&offsets, 1}, most);
    EXPECT_TRUE(done);
    whole_ = done.value_or(false);
    return tally_.ledger().counts();
  }

  using Counts = std::map<std::string, int64_t, std::less<>>;
  testing::MockKafka cluster_;
  std::unique_ptr<kafka::Producer> producer_;
  int64_t end_ = 0;
  bool whole_ = false;
  Tally tally_{"t", [](const Letter& letter) -> std::optional<std::string> {
                 if (letter.log != "log") return std::nullopt;
                 return std::string(letter.binding);
               }};
};

TEST_F(TallyTest, CountsWhatIsOpen) {
  EXPECT_EQ(catch_up(), Counts{});
  letters("a", 3);
  letters("b", 2);
  letters("a", 4, "another log");
  EXPECT_EQ(catch_up(), (Counts{{"a", 3}, {"b", 2}}));
  mark(1, 3);
  letters("b", 1);
  EXPECT_EQ(catch_up(), (Counts{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(catch_up(4), (Counts{{"b", 2}})) << "the oldest are gone";
  EXPECT_TRUE(whole_);
}

TEST_F(TallyTest, AMarkReachesOnlyWhatIsBeforeIt) {
  letters("a", 2);
  mark(0, 1000);
  letters("a", 3);
  EXPECT_EQ(catch_up(), (Counts{{"a", 3}}));
}

TEST_F(TallyTest, GoesOnWhereItStopped) {
  letters("a", 3);
  catch_up(0, milliseconds(-1));
  EXPECT_FALSE(whole_);
  EXPECT_EQ(tally_.ledger().total(), 1);
  EXPECT_EQ(catch_up(), (Counts{{"a", 3}}));
}

TEST_F(TallyTest, ATopicThatIsMadeAnewIsReadAnew) {
  letters("a", 3);
  catch_up();
  end_ = 1;
  EXPECT_EQ(catch_up(), (Counts{{"a", 1}}));
}

}  // namespace
}  // namespace searchsync::dead_letters
