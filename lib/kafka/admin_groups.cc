// What an Admin asks of groups' coordinators.

#include <fmt/core.h>

#include <algorithm>
#include <thread>

#include "lib/base/check.h"
#include "lib/kafka/admin_impl.h"
#include "lib/kafka/conf.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

using ListGroupHandle =
    Owned<rd_kafka_ListConsumerGroupOffsets_t, rd_kafka_ListConsumerGroupOffsets_destroy>;
using DeleteGroupHandle = Owned<rd_kafka_DeleteGroup_t, rd_kafka_DeleteGroup_destroy>;

bool passes(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
         code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
         code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
         code == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
}

const rd_kafka_group_result_t& only(const rd_kafka_group_result_t** groups, size_t count) {
  CHECK(count == 1, "{} groups", count);
  return *groups[0];
}

}  // namespace

Result<std::shared_ptr<rd_kafka_t>> Admin::Impl::group_client() {
  const std::lock_guard lock(mutex);
  if (!group_asker) {
    ASSIGN_OR_RETURN(auto conf, make_conf(config));
    RETURN_IF_ERROR(set(*conf, "group.id", kReaderGroup));
    RETURN_IF_ERROR(set(*conf, "allow.auto.create.topics", "false"));
    RETURN_IF_ERROR(set_extra(*conf, config));
    ASSIGN_OR_RETURN(group_asker, make_client(ClientType::kConsumer, std::move(conf), config));
  }
  return group_asker;
}

void Admin::Impl::replace(const std::shared_ptr<rd_kafka_t>& former) {
  std::shared_ptr<rd_kafka_t> dropped;  // ends without the lock: that takes a moment
  const std::lock_guard lock(mutex);
  if (group_asker == former) dropped = std::move(group_asker);
}

// A request must not time out before its client ends: librdkafka 2.0.2 (and newer ones) frees it,
// and uses it once the coordinator can be reached again (rd_kafka_admin_coord_request()).
template <class Start, class Read>
Result<void> Admin::Impl::ask_coordinator(rd_kafka_admin_op_t operation, std::string_view doing,
                                          Start start, Read read) {
  constexpr std::chrono::hours kNever{1};  // the longest that librdkafka takes
  const auto deadline = steady_clock::now() + options.timeout;
  for (;;) {
    ASSIGN_OR_RETURN(const auto by, group_client());
    const auto request = request_options(by.get(), operation, kNever);
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    const auto answer = send(by.get(), request.get(), start, std::max(left, milliseconds(0)));
    auto code = answer ? rd_kafka_event_error(answer.get()) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = read(*answer);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    // librdkafka 2.0.2 goes on asking a former coordinator.
    if (!answer || code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR) replace(by);
    if (!passes(code) || steady_clock::now() >= deadline) {
      return std::unexpected(make_error(code, fmt::format("{} at {}", doing, brokers)));
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

Result<std::vector<TopicOffset>> Admin::group_offsets(const std::string& group,
                                                      std::span<const TopicPartition> partitions) {
  std::vector<TopicOffset> offsets;
  if (partitions.empty()) return offsets;
  const auto list = to_list(partitions);
  const ListGroupHandle asked(rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), list.get()));
  RETURN_IF_ERROR(impl_->ask_coordinator(
      RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, fmt::format("kafka: offsets of group {}", group),
      [&](auto* client, auto* options, auto* queue) {
        // What is in a transaction that is not over is not told; nor is it waited for.
        const Handle<rd_kafka_error_s> refused(
            rd_kafka_AdminOptions_set_require_stable_offsets(options, 0));
        CHECK(!refused);
        auto* raw = asked.get();
        rd_kafka_ListConsumerGroupOffsets(client, &raw, 1, options, queue);
      },
      [&](auto& answer) {
        offsets.clear();
        size_t count = 0;
        const auto** const groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(&answer), &count);
        const auto& told = *rd_kafka_group_result_partitions(&only(groups, count));
        for (const auto& each : std::span(told.elems, static_cast<size_t>(told.cnt))) {
          if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR) return each.err;
          if (each.offset < 0) continue;
          offsets.push_back(
              {.topic = each.topic,
               .partition = Partition(each.partition),
               .offset = Offset(each.offset),
               .note = {static_cast<const char*>(each.metadata), each.metadata_size}});
        }
        return RD_KAFKA_RESP_ERR_NO_ERROR;
      }));
  std::ranges::sort(offsets);
  return offsets;
}

Result<void> Admin::delete_group(const std::string& group) {
  const DeleteGroupHandle asked(rd_kafka_DeleteGroup_new(group.c_str()));
  return impl_->ask_coordinator(
      RD_KAFKA_ADMIN_OP_DELETEGROUPS, fmt::format("kafka: deleting group {}", group),
      [&](auto* client, auto* options, auto* queue) {
        auto* raw = asked.get();
        rd_kafka_DeleteGroups(client, &raw, 1, options, queue);
      },
      [](auto& answer) {
        size_t count = 0;
        const auto** const groups = rd_kafka_DeleteGroups_result_groups(
            rd_kafka_event_DeleteGroups_result(&answer), &count);
        const auto* const error = rd_kafka_group_result_error(&only(groups, count));
        return error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
      });
}

}  // namespace searchsync::kafka
