#pragma once

#include <memory>

// The tags behind librdkafka's handles, so that its header stays out of ours.
struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_error_s;
struct rd_kafka_queue_s;
struct rd_kafka_op_s;  // behind rd_kafka_event_t
struct rd_kafka_topic_s;
struct rd_kafka_topic_partition_list_s;
struct rd_kafka_consumer_group_metadata_s;

namespace searchsync::kafka {

template <class T>
struct Destroy {
  void operator()(T* object) const;
};

// Owns an object of librdkafka and destroys it as that type has to be destroyed.
template <class T>
using Handle = std::unique_ptr<T, Destroy<T>>;

template <>
void Destroy<rd_kafka_s>::operator()(rd_kafka_s* object) const;
template <>
void Destroy<rd_kafka_conf_s>::operator()(rd_kafka_conf_s* object) const;
template <>
void Destroy<rd_kafka_error_s>::operator()(rd_kafka_error_s* object) const;
template <>
void Destroy<rd_kafka_queue_s>::operator()(rd_kafka_queue_s* object) const;
template <>
void Destroy<rd_kafka_op_s>::operator()(rd_kafka_op_s* object) const;
template <>
void Destroy<rd_kafka_topic_s>::operator()(rd_kafka_topic_s* object) const;
template <>
void Destroy<rd_kafka_topic_partition_list_s>::operator()(
    rd_kafka_topic_partition_list_s* object) const;
template <>
void Destroy<rd_kafka_consumer_group_metadata_s>::operator()(
    rd_kafka_consumer_group_metadata_s* object) const;

// A consumer's membership of its group, as it is at one moment.
using GroupMetadata = Handle<rd_kafka_consumer_group_metadata_s>;

}  // namespace searchsync::kafka
