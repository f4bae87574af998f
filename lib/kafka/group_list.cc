#include "lib/kafka/group_list.h"

#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <span>

#include "lib/kafka/admin_impl.h"
#include "lib/kafka/conf.h"
#include "lib/kafka/errors.h"

namespace searchsync::kafka {

GroupList::GroupList(Handle<rd_kafka_s> client, std::string brokers,
                     std::chrono::milliseconds timeout)
    : client_(std::move(client)), brokers_(std::move(brokers)), timeout_(timeout) {}

Result<std::unique_ptr<GroupList>> GroupList::create(const ClientConfig& config,
                                                     std::chrono::milliseconds timeout) {
  ASSIGN_OR_RETURN(auto conf, make_conf(config));
  RETURN_IF_ERROR(set(*conf, "allow.auto.create.topics", "false"));
  RETURN_IF_ERROR(set_extra(*conf, config));
  ASSIGN_OR_RETURN(auto client, make_client(ClientType::kProducer, std::move(conf), config));
  return std::unique_ptr<GroupList>(new GroupList(std::move(client), broker_list(config), timeout));
}

Result<std::vector<std::string>> GroupList::find(std::string_view prefix) {
  const OptionsHandle options(
      rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS));
  std::array<char, 256> reason{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), to_timeout(timeout_), reason.data(),
                                            reason.size());
  const Handle<rd_kafka_queue_s> answers(rd_kafka_queue_new(client_.get()));
  rd_kafka_ListConsumerGroups(client_.get(), options.get(), answers.get());
  // The request times out by itself; twice that is for the case that it does not.
  const Handle<rd_kafka_event_t> answer(
      rd_kafka_queue_poll(answers.get(), to_timeout(2 * timeout_)));
  const std::string context = "kafka: listing groups at " + brokers_;
  if (!answer) return std::unexpected(make_error(RD_KAFKA_RESP_ERR__TIMED_OUT, context));
  if (const auto code = rd_kafka_event_error(answer.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(make_error(code, context, rd_kafka_event_error_string(answer.get())));
  }
  const auto* const result = rd_kafka_event_ListConsumerGroups_result(answer.get());
  size_t count = 0;
  const auto** const errors = rd_kafka_ListConsumerGroups_result_errors(result, &count);
  if (count > 0) {
    return std::unexpected(
        make_error(rd_kafka_error_code(errors[0]), context, rd_kafka_error_string(errors[0])));
  }
  const auto** const groups = rd_kafka_ListConsumerGroups_result_valid(result, &count);
  std::vector<std::string> found;
  for (const auto* group : std::span(groups, count)) {
    const std::string_view name = rd_kafka_ConsumerGroupListing_group_id(group);
    if (name.starts_with(prefix)) found.emplace_back(name);
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace searchsync::kafka
