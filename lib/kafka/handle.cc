#include "lib/kafka/handle.h"

#include <librdkafka/rdkafka.h>

namespace searchsync::kafka {

template <>
void Destroy<rd_kafka_s>::operator()(rd_kafka_s* object) const {
  rd_kafka_destroy(object);
}
template <>
void Destroy<rd_kafka_conf_s>::operator()(rd_kafka_conf_s* object) const {
  rd_kafka_conf_destroy(object);
}
template <>
void Destroy<rd_kafka_error_s>::operator()(rd_kafka_error_s* object) const {
  rd_kafka_error_destroy(object);
}
template <>
void Destroy<rd_kafka_queue_s>::operator()(rd_kafka_queue_s* object) const {
  rd_kafka_queue_destroy(object);
}
template <>
void Destroy<rd_kafka_op_s>::operator()(rd_kafka_op_s* object) const {
  rd_kafka_event_destroy(object);
}
template <>
void Destroy<rd_kafka_topic_s>::operator()(rd_kafka_topic_s* object) const {
  rd_kafka_topic_destroy(object);
}
template <>
void Destroy<rd_kafka_topic_partition_list_s>::operator()(
    rd_kafka_topic_partition_list_s* object) const {
  rd_kafka_topic_partition_list_destroy(object);
}
template <>
void Destroy<rd_kafka_consumer_group_metadata_s>::operator()(
    rd_kafka_consumer_group_metadata_s* object) const {
  rd_kafka_consumer_group_metadata_destroy(object);
}

}  // namespace searchsync::kafka
