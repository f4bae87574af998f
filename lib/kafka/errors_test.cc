#include "lib/kafka/errors.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <span>
#include <string>

namespace searchsync::kafka {
namespace {

TEST(KafkaErrors, MeanWhatCallersActOn) {
  const std::pair<int, ErrorCode> kCases[] = {
      {RD_KAFKA_RESP_ERR__QUEUE_FULL, ErrorCode::kLimit},
      {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ErrorCode::kTimeout},
      {RD_KAFKA_RESP_ERR__TRANSPORT, ErrorCode::kUnavailable},
      {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ErrorCode::kUnavailable},
      {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ErrorCode::kUnavailable},
      {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::kUnavailable},
      {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, ErrorCode::kFenced},
      {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, ErrorCode::kFenced},
      {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, ErrorCode::kFenced},
      {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ErrorCode::kFenced},
      {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode::kFenced},
      {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ErrorCode::kNotFound},
      {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, ErrorCode::kNotFound},
      {RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, ErrorCode::kConflict},
      {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ErrorCode::kPermission},
      {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ErrorCode::kPermission},
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ErrorCode::kInvalidArgument},
      {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, ErrorCode::kUnsupported},
      {RD_KAFKA_RESP_ERR__PURGE_QUEUE, ErrorCode::kCancelled},
      {RD_KAFKA_RESP_ERR__BAD_MSG, ErrorCode::kMalformed},
      {RD_KAFKA_RESP_ERR_UNKNOWN, ErrorCode::kInternal},
      {12345, ErrorCode::kInternal},
  };
  for (const auto& [code, expected] : kCases) EXPECT_EQ(code_of(code), expected) << code;
}

// Whatever librdkafka itself retries in a producer must not be terminal for our callers.
TEST(KafkaErrors, WhatMayPassIsRetryable) {
  const rd_kafka_err_desc* descriptions = nullptr;
  size_t count = 0;
  rd_kafka_get_err_descs(&descriptions, &count);
  ASSERT_GT(count, 100u);
  for (const auto& each : std::span(descriptions, count)) {
    if (!each.name) continue;
    const std::string name = each.name;
    if (name.find("NOT_AVAILABLE") != std::string::npos || name.starts_with("NOT_LEADER") ||
        name.starts_with("NOT_COORDINATOR") || name.find("TIMED_OUT") != std::string::npos) {
      EXPECT_TRUE((Error{code_of(each.code), ""}).retryable()) << name;
    }
    if (name.find("AUTHORIZATION_FAILED") != std::string::npos) {
      if (!name.starts_with("DELEGATION")) {
        EXPECT_EQ(code_of(each.code), ErrorCode::kPermission) << name;
      }
    }
  }
}

TEST(KafkaErrors, MessageSaysWhereWhatAndWhatToDo) {
  EXPECT_EQ(make_error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "topic a partition 3").message,
            "topic a partition 3: Broker: Unknown topic or partition; create it, or correct its "
            "name or partition");
  EXPECT_EQ(make_error(RD_KAFKA_RESP_ERR__TRANSPORT, "kafka at b:9092", "refused").message,
            "kafka at b:9092: refused; check that the brokers run and can be reached");
}

}  // namespace
}  // namespace searchsync::kafka
