#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "capture/core/seams.h"
#include "lib/base/error.h"
#include "lib/kafka/admin.h"
#include "lib/kafka/client.h"
#include "lib/kafka/producer.h"

namespace searchsync::capture {

// The tables' topics in Kafka, and the topic of our own state, through one producer. Not
// thread-safe.
class TopicOutlet final : public Outlet {
 public:
  struct Options {
    kafka::ClientConfig kafka;
    std::vector<std::string> topics;  // by table
    std::string state_topic;
    std::string positions_topic;
    std::chrono::milliseconds linger{1};
    size_t queue_bytes_max = 32 << 20;
    size_t slice_bytes_max = 64 << 20;  // of keys remembered at a time while a topic is read back
  };
  static Result<std::unique_ptr<TopicOutlet>> create(Options options, kafka::Admin& admin);

  // Who is told of acknowledged records, and whom to call now and then while something is waited
  // for. Must be set before the first append().
  void on_acknowledged(std::function<void(uint64_t token)> handler) {
    handler_ = std::move(handler);
  }
  void while_waiting(std::function<Result<void>()> handler) { waiting_ = std::move(handler); }

  Result<void> append(size_t table, std::string_view key, std::optional<std::string_view> value,
                      uint64_t token) override;
  Result<void> each_live_key(size_t table, Position below,
                             FunctionRef<Result<void>(std::string_view key)> visit) override;

  // Appends to the state's topic; state_saved() tells when it is safe.
  Result<void> save_state(std::string_view key, std::string_view json);
  bool state_saved() const { return states_saved_ == states_sent_; }

  // Reads where the tables' topics end: what was acknowledged before is before that. Before the
  // first append().
  Result<void> read_ends();
  // By partition of the table's topic: behind everything that was acknowledged.
  const std::vector<int64_t>& ends(size_t table) const { return ends_[table]; }
  // Appends to the topic of positions.
  Result<void> publish_position(std::string_view key, std::string_view json);
  // Whether one of them did not arrive, for all we know, since this was asked last.
  bool take_position_lost() { return std::exchange(position_lost_, false); }

  // Hands over what was acknowledged meanwhile. Errors: a record was lost; this outlet is done for.
  Result<void> poll(std::chrono::milliseconds timeout);
  // Waits until everything is safe.
  Result<void> flush();

  size_t in_flight() const { return producer_->in_flight(); }
  uint64_t bytes_sent() const { return bytes_sent_; }
  std::optional<Error> connection_error() const { return producer_->connection_error(); }

 private:
  TopicOutlet(Options options, kafka::Admin& admin) : options_(std::move(options)), admin_(admin) {}
  void delivered(const kafka::Delivery& delivery);
  Result<void> send(const std::string& topic, std::string_view key,
                    std::optional<std::string_view> value, uint64_t token);

  const Options options_;
  kafka::Admin& admin_;
  std::function<void(uint64_t)> handler_;
  std::function<Result<void>()> waiting_;
  std::unique_ptr<kafka::Producer> producer_;
  std::vector<std::vector<int64_t>> ends_;  // by table and partition
  std::vector<uint64_t> acknowledged_;      // delivered, and not yet handed over
  std::optional<Error> lost_;
  bool position_lost_ = false;
  uint64_t states_sent_ = 0;
  uint64_t states_saved_ = 0;
  uint64_t bytes_sent_ = 0;
};

}  // namespace searchsync::capture
