#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/kafka/admin.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/handle.h"
#include "lib/kafka/partition_list.h"

namespace searchsync::kafka {

inline constexpr std::chrono::milliseconds kBetweenLooks{20};

template <class T, void (*destroy)(T*)>
struct Call {
  void operator()(T* object) const { destroy(object); }
};
template <class T, void (*destroy)(T*)>
using Owned = std::unique_ptr<T, Call<T, destroy>>;

using OptionsHandle = Owned<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;

inline void destroy_metadata(const rd_kafka_metadata_t* metadata) {
  rd_kafka_metadata_destroy(metadata);
}
using Metadata = Owned<const rd_kafka_metadata_t, destroy_metadata>;

inline int to_timeout(std::chrono::milliseconds timeout) {
  return static_cast<int>(timeout.count());
}

inline Error no_topic(const std::string& topic) {
  return make_error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "topic " + topic);
}

// The clients behind an Admin, and what several of its questions share. Internal to this folder.
struct Admin::Impl {
  Impl(const ClientConfig& config_in, Options options_in)
      : config(config_in), brokers(broker_list(config_in)), options(options_in) {}

  enum class Topics { kNone, kAll };
  Result<Metadata> metadata(Topics topics, std::chrono::milliseconds timeout) const;
  Result<Handle<rd_kafka_conf_s>> producer_conf() const;
  // The client that looks at single topics. librdkafka keeps what it learns of one as long as the
  // client lives, and looks at all of it several times a second: it is replaced now and then.
  Result<std::shared_ptr<rd_kafka_t>> describer();
  // Looks until the topic exists and each of its partitions has a leader.
  Result<void> wait_for_leaders(const std::string& topic);

  OptionsHandle request_options(rd_kafka_t* of, rd_kafka_admin_op_t operation,
                                std::chrono::milliseconds timeout) const;
  // Sends a request with `start(client, options, queue)` and waits for its answer, which may be an
  // error; null: there is none within `patience`.
  template <class Start>
  Handle<rd_kafka_event_t> send(rd_kafka_t* by, rd_kafka_AdminOptions_t* request, Start start,
                                std::chrono::milliseconds patience) const;
  template <class Start>
  Result<Handle<rd_kafka_event_t>> ask(rd_kafka_admin_op_t operation, std::string_view doing,
                                       Start start) const;

  // Each partition's offset for a logical time, the beginning or the end, in order of topic and
  // partition.
  Result<std::vector<int64_t>> offsets_at(rd_kafka_t* by, const TopicSizes& topics,
                                          int64_t when) const;
  // A client that is told of what is not committed, too; it is kept.
  Result<rd_kafka_t*> all_seeing();

  // The client that asks groups' coordinators, whatever the group: it has a group of its own, which
  // it never joins, because without one librdkafka 2.0.2 crashes when the coordinator of the group
  // that is asked for has moved (rd_kafka_handle_OffsetFetch() tells the client's own group).
  Result<std::shared_ptr<rd_kafka_t>> group_client();
  // Has the next one that asks get another.
  void replace(const std::shared_ptr<rd_kafka_t>& former);
  // Asks a group's coordinator with `start(client, options, queue)`; `read(answer)` takes from it
  // what was asked for, or returns its error for the group. Asks again, up to the timeout, while
  // the coordinator is another or not ready.
  template <class Start, class Read>
  Result<void> ask_coordinator(rd_kafka_admin_op_t operation, std::string_view doing, Start start,
                               Read read);

  const ClientConfig config;
  const std::string brokers;
  const Options options;
  Handle<rd_kafka_t> client;

  std::mutex mutex;
  // Shared: who asks with a former one ends with that. Guarded by mutex.
  std::shared_ptr<rd_kafka_t> group_asker;
  std::shared_ptr<rd_kafka_t> topic_describer;
  int described = 0;               // topics, by that one; guarded by mutex
  Handle<rd_kafka_t> uncommitted;  // see all_seeing(); guarded by mutex
};

template <class Start>
Handle<rd_kafka_event_t> Admin::Impl::send(rd_kafka_t* by, rd_kafka_AdminOptions_t* request,
                                           Start start, std::chrono::milliseconds patience) const {
  const Handle<rd_kafka_queue_s> answers(rd_kafka_queue_new(by));
  start(by, request, answers.get());
  return Handle<rd_kafka_event_t>(rd_kafka_queue_poll(answers.get(), to_timeout(patience)));
}

}  // namespace searchsync::kafka
