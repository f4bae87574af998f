#include "lib/kafka/read_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lib/kafka/kafka_test_support.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ReadRangesContract : public ::testing::TestWithParam<TestCluster::Kind> {
 protected:
  OffsetRange range(int partition, int64_t begin, int64_t end) const {
    return {{topic_, Partition(partition)}, Offset(begin), Offset(end)};
  }

  // "partition:value" of what is visited, of one partition after the other; stops after `most`.
  std::vector<std::string> read(const std::vector<OffsetRange>& ranges, size_t most = 1000) {
    std::vector<std::string> seen;
    const auto done = read_ranges(cluster_.config(), ranges, seconds(20), [&](const Message& m) {
      seen.push_back(std::to_string(m.partition.get()) + ":" + std::string(*m.value));
      return seen.size() < most ? Reading::kGoesOn : Reading::kIsEnough;
    });
    EXPECT_TRUE(done) << done.error().message;
    std::ranges::stable_sort(seen, {}, [](const auto& text) { return text.front(); });
    return seen;
  }

  TestCluster cluster_{GetParam()};
  std::string topic_ = cluster_.create_topic(2);
};

INSTANTIATE_TEST_SUITE_P(Clusters, ReadRangesContract, ::testing::ValuesIn(cluster_kinds()),
                         kind_name);

TEST_P(ReadRangesContract, VisitsWhatIsInTheRanges) {
  TestProducer producer(cluster_.config());
  producer.send_numbers(topic_, 0, 5);
  producer.send_numbers(topic_, 1, 3);
  producer.flush();
  using Seen = std::vector<std::string>;
  EXPECT_EQ(read({range(0, 0, 5), range(1, 0, 3)}),
            (Seen{"0:0", "0:1", "0:2", "0:3", "0:4", "1:0", "1:1", "1:2"}));
  EXPECT_EQ(read({range(0, 1, 3)}), (Seen{"0:1", "0:2"}));
  EXPECT_EQ(read({range(0, 2, 2), range(1, 2, 3)}), Seen{"1:2"});
  EXPECT_EQ(read({range(0, 3, 99)}), (Seen{"0:3", "0:4"})) << "there is no more";
  EXPECT_EQ(read({}), Seen{});
  EXPECT_EQ(read({range(0, 0, 5)}, 2), (Seen{"0:0", "0:1"})) << "that was enough";
}

TEST_P(ReadRangesContract, WhereNothingIsItEnds) {
  EXPECT_EQ(read({range(0, 0, 10)}), std::vector<std::string>{});
}

TEST(ReadRanges, SaysThatNothingCame) {
  testing::MockKafka cluster;
  cluster.create_topic("t", 1);
  cluster.stop_broker(1);
  const std::vector<OffsetRange> ranges = {{{"t", Partition(0)}, Offset(0), Offset(1)}};
  const auto read = read_ranges(cluster.config(), ranges, milliseconds(500),
                                [](const Message&) { return Reading::kGoesOn; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kTimeout);
  EXPECT_NE(read.error().message.find("topic t partition 0"), std::string::npos)
      << read.error().message;
}

}  // namespace
}  // namespace searchsync::kafka
