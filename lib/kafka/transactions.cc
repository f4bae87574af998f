// What a Producer does with transactions. librdkafka says of each failure whether the call may be
// repeated, the transaction has to be aborted, or the producer is done for.

#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include "lib/base/check.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/partition_list.h"
#include "lib/kafka/producer_impl.h"

namespace searchsync::kafka {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// librdkafka's own bound of a step: what is left of the transaction's time.
constexpr int kAsLongAsItLasts = -1;
// A step that is asked for again and again comes to an end some time.
constexpr milliseconds kStepMax{60'000};
constexpr int kOffsetsTimeoutMs = 10'000;

using ErrorHandle = Handle<rd_kafka_error_s>;

int to_timeout(milliseconds timeout) {
  return static_cast<int>(timeout.count());
}

// Until it is done, or fails in a way that repeating it does not mend.
template <class Step>
ErrorHandle repeat(milliseconds timeout, Step step) {
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    ErrorHandle error(step());
    if (!error || !rd_kafka_error_is_retriable(error.get()) || Clock::now() >= deadline) {
      return error;
    }
  }
}

Error to_error(const ErrorHandle& error, const std::string& context) {
  return make_error(rd_kafka_error_code(error.get()), context, rd_kafka_error_string(error.get()));
}

Error unknown(const ErrorHandle& error, const std::string& context) {
  return {ErrorCode::kFenced, fmt::format("{}: {}; build a new producer, and see what is committed",
                                          context, rd_kafka_error_string(error.get()))};
}

}  // namespace

Result<void> Producer::initialize_transactions(milliseconds timeout) {
  const auto error = repeat(timeout, [&] {
    return rd_kafka_init_transactions(impl_->client.get(), to_timeout(timeout));
  });
  if (!error) return {};
  return std::unexpected(to_error(error, "kafka at " + impl_->brokers + ": transactions"));
}

Result<void> Producer::begin_transaction() {
  const ErrorHandle error(rd_kafka_begin_transaction(impl_->client.get()));
  if (!error) return {};
  return std::unexpected(unknown(error, "kafka at " + impl_->brokers + ": a transaction"));
}

Result<void> Producer::commit_transaction(std::span<const TopicOffset> offsets,
                                          const GroupMetadata& group) {
  const auto list = to_list(offsets);
  auto error = repeat(milliseconds(kOffsetsTimeoutMs), [&] {
    return rd_kafka_send_offsets_to_transaction(impl_->client.get(), list.get(), group.get(),
                                                kOffsetsTimeoutMs);
  });
  const bool offsets_refused = error != nullptr;
  if (!error) {
    error = repeat(kStepMax, [&] {
      return rd_kafka_commit_transaction(impl_->client.get(), kAsLongAsItLasts);
    });
  }
  if (!error) return {};
  const auto context = "kafka at " + impl_->brokers + ": a transaction";
  const bool fatal = rd_kafka_error_is_fatal(error.get()) != 0;
  // Before the commit is asked for, nothing can have been committed.
  if (fatal || (!offsets_refused && !rd_kafka_error_txn_requires_abort(error.get()))) {
    return std::unexpected(unknown(error, context));
  }
  RETURN_IF_ERROR(abort_transaction());
  return std::unexpected(to_error(error, context + " was aborted"));
}

Result<void> Producer::abort_transaction() {
  const auto error = repeat(
      kStepMax, [&] { return rd_kafka_abort_transaction(impl_->client.get(), kAsLongAsItLasts); });
  if (!error) return {};
  return std::unexpected(unknown(error, "kafka at " + impl_->brokers + ": aborting a transaction"));
}

}  // namespace searchsync::kafka
