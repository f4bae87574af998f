#include "lib/kafka/assignment.h"

#include <gtest/gtest.h>

namespace searchsync::kafka {
namespace {

class AssignmentTest : public ::testing::Test {
 protected:
  bool admit(const char* topic, int partition, int64_t offset) {
    // Any distinct address will do as a handle.
    const auto* handle =
        reinterpret_cast<const rd_kafka_topic_s*>(topic[0] == 'a' ? &handles_[0] : &handles_[1]);
    return assignment_.admit(handle, topic, Partition(partition), Offset(offset));
  }

  Assignment assignment_;
  char handles_[2];
};

TEST_F(AssignmentTest, AdmitsOnlyWhatIsAssigned) {
  EXPECT_FALSE(admit("a", 0, 0));
  assignment_.add({"a", Partition(0)}, Offset(0));
  EXPECT_TRUE(admit("a", 0, 0));
  EXPECT_FALSE(admit("a", 1, 0));
  EXPECT_FALSE(admit("b", 0, 0));
  assignment_.remove({"a", Partition(0)});
  EXPECT_FALSE(admit("a", 0, 1));
}

TEST_F(AssignmentTest, AdmitsRisingOffsetsOnly) {
  assignment_.add({"a", Partition(0)}, Offset(5));
  assignment_.add({"b", Partition(0)}, Offset(0));
  EXPECT_FALSE(admit("a", 0, 4));
  EXPECT_TRUE(admit("a", 0, 5));
  EXPECT_TRUE(admit("b", 0, 1));
  EXPECT_FALSE(admit("a", 0, 5));
  EXPECT_TRUE(admit("a", 0, 9));
  EXPECT_FALSE(admit("a", 0, 8));
  EXPECT_FALSE(admit("b", 0, 0));
}

TEST_F(AssignmentTest, NewAssignmentForgetsTheOld) {
  assignment_.add({"a", Partition(0)}, Offset(0));
  EXPECT_TRUE(admit("a", 0, 7));
  assignment_.remove({"a", Partition(0)});
  assignment_.add({"a", Partition(0)}, Offset(3));
  EXPECT_FALSE(admit("a", 0, 2));
  EXPECT_TRUE(admit("a", 0, 3));
}

TEST_F(AssignmentTest, MovesOnlyWhatIsAssigned) {
  assignment_.add({"a", Partition(0)}, Offset(0));
  EXPECT_TRUE(admit("a", 0, 7));
  EXPECT_TRUE(assignment_.move({"a", Partition(0)}, Offset(2)));
  EXPECT_TRUE(admit("a", 0, 2));
  EXPECT_FALSE(assignment_.move({"a", Partition(1)}, Offset(2)));
}

TEST_F(AssignmentTest, ListsPartitionsInOrder) {
  assignment_.add({"b", Partition(0)}, Offset(0));
  assignment_.add({"a", Partition(10)}, Offset(0));
  assignment_.add({"a", Partition(9)}, Offset(0));
  const std::vector<TopicPartition> kExpected{
      {"a", Partition(9)}, {"a", Partition(10)}, {"b", Partition(0)}};
  EXPECT_EQ(assignment_.partitions(), kExpected);
}

}  // namespace
}  // namespace searchsync::kafka
