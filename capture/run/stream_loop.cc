#include "capture/run/stream_loop.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>

#include "lib/base/log.h"

namespace searchsync::capture {
namespace {

using postgres::Lsn;

constexpr std::chrono::milliseconds kAcknowledgementWait{2};  // librdkafka has no descriptor for us
constexpr std::chrono::seconds kSlotInterval{10};
constexpr size_t kMessagesAtATime = 1000;
constexpr size_t kUnproducedMax = 10'000;
// Positions are published this often at most, and of many tables no more bytes a second than this.
constexpr std::chrono::milliseconds kPositionInterval{10};
constexpr size_t kPositionBytesPerMilli = 200;

int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

StreamLoop::StreamLoop(Options options, Engine& engine, postgres::ReplicationStream& stream,
                       SideDatabase& side, ChunkReader& chunks, TopicOutlet& outlet,
                       const Wakeup& wakeup, CaptureMetrics& metrics, http::Health& health,
                       CaptureState saved)
    : options_(std::move(options)),
      engine_(engine),
      stream_(stream),
      side_(side),
      chunks_(chunks),
      outlet_(outlet),
      wakeup_(wakeup),
      metrics_(metrics),
      health_(health),
      received_(saved.flushed),
      saved_(std::move(saved)) {}

Result<void> StreamLoop::run(const std::stop_token& stop) {
  stop_ = &stop;
  while (!stop.stop_requested()) {
    RETURN_IF_ERROR(take_chunks());
    bool more = false;
    if (engine_.transactions() < options_.transactions_max) {
      ASSIGN_OR_RETURN(more, receive());
    }
    RETURN_IF_ERROR(outlet_.poll(std::chrono::milliseconds(0)));
    RETURN_IF_ERROR(publish_position());
    RETURN_IF_ERROR(housekeep());
    if (!more) wait();
  }
  return finish();
}

// What the stream has now, up to a limit. True: there may be more.
Result<bool> StreamLoop::receive() {
  const int64_t now_ms = now_us() / 1000;
  for (size_t i = 0; i < kMessagesAtATime; ++i) {
    ASSIGN_OR_RETURN(const auto message, stream_.next());
    if (!message) return false;
    if (const auto* keepalive = std::get_if<postgres::Keepalive>(&*message)) {
      received_ = std::max(received_, keepalive->end);
      engine_.on_keepalive(keepalive->end);
      reply_ = reply_ || keepalive->reply_requested;
      continue;
    }
    const auto& data = std::get<postgres::WalData>(*message);
    const bool was_receiving = engine_.in_transaction();
    RETURN_IF_ERROR(engine_.on_message(data.payload, now_ms));
    received_ = std::max(received_, data.start);
    if (was_receiving && !engine_.in_transaction() && unproduced_.size() < kUnproducedMax) {
      unproduced_.push_back({engine_.newest_transaction(), engine_.commit_time_us()});
    }
  }
  return true;
}

Result<void> StreamLoop::take_chunks() {
  wakeup_.clear();
  for (ChunkReader::Answer& answer : chunks_.answers()) {
    if (!answer.rows) {
      const Error& error = answer.rows.error();
      if (error.code == ErrorCode::kNotFound || error.code == ErrorCode::kPermission) {
        engine_.on_chunk_failed(answer.id, error);
        continue;
      }
      return std::unexpected(error);
    }
    ASSIGN_OR_RETURN(const bool good, engine_.on_chunk(std::move(*answer.rows)));
    if (good) {
      RETURN_IF_ERROR(
          side_.write_mark(std::string(Engine::kMarkPrefix), engine_.chunk_mark(answer.id)));
    }
  }
  if (auto request = engine_.next_chunk()) chunks_.request(std::move(*request));
  return {};
}

void StreamLoop::acknowledged(uint64_t token) {
  engine_.on_acknowledged(token);
  if (unproduced_.empty() || unproduced_.front().transaction > token) return;
  const double now = static_cast<double>(now_us());
  while (!unproduced_.empty() && unproduced_.front().transaction <= token) {
    if (unproduced_.front().transaction == token) {
      const double waited = now - static_cast<double>(unproduced_.front().time_us);
      metrics_.commit_to_produced.observe(std::max(waited, 0.0) / 1e6);
    }
    unproduced_.pop_front();
  }
}

Result<void> StreamLoop::while_waiting() {
  if (stop_ != nullptr && stop_->stop_requested()) {
    return fail(ErrorCode::kCancelled, "stopped");
  }
  const auto now = Clock::now();
  if (now < status_due_) return {};
  status_due_ = now + options_.status_interval;
  if (const auto complaint = outlet_.connection_error()) {
    health_.not_ready("kafka", complaint->message);
  }
  return send_status();
}

Result<void> StreamLoop::housekeep() {
  if (saving_ && outlet_.state_saved()) {
    saved_ = std::move(*saving_);
    saving_.reset();
    reply_ = true;
  }
  const auto now = Clock::now();
  if (now < status_due_ && !reply_) return {};
  if (now >= status_due_) {
    status_due_ = now + options_.status_interval;
    if (engine_.wants_snapshot()) {
      ASSIGN_OR_RETURN(const XidSnapshot snapshot, side_.snapshot());
      engine_.on_snapshot(snapshot);
    }
    RETURN_IF_ERROR(save_if_changed(now));
    RETURN_IF_ERROR(inspect_slot());
    metrics_.update(engine_, outlet_.bytes_sent());
    metrics_.in_flight_records.set(static_cast<double>(outlet_.in_flight()));
    report_stopped();
    if (const auto complaint = outlet_.connection_error()) {
      health_.not_ready("kafka", complaint->message);
    } else {
      health_.ready("kafka");
    }
  }
  return send_status();
}

// See docs/decisions/0008-reading-your-own-writes.md.
Result<void> StreamLoop::publish_position() {
  const auto now = Clock::now();
  if (now < position_due_) return {};
  positions::CapturePosition position{
      .log = options_.log, .through = engine_.acknowledged_through(), .topics = {}};
  for (size_t i = 0; i < engine_.tables(); ++i) {
    const CapturedTable& table = engine_.table(i);
    // What is done, not what has been received: rows of the last chunk may be on their way.
    const auto& tables = engine_.state().tables;
    const auto done = tables.find(table.schema + "." + table.name);
    const bool whole = done != tables.end() && done->second.phase == SnapshotPhase::kDone &&
                       done->second.stopped.empty() && !done->second.left;
    position.topics[done == tables.end() ? table.state.topic : done->second.topic] = {
        .ends = outlet_.ends(i), .whole = whole};
  }
  position_due_ = now + kPositionInterval;
  if (outlet_.take_position_lost()) position_ = {};  // there may be no further one for long
  if (position == position_) return {};
  const std::string json = positions::to_json(position);
  position_due_ = now + std::max(kPositionInterval,
                                 std::chrono::milliseconds(json.size() / kPositionBytesPerMilli));
  position_ = std::move(position);
  return outlet_.publish_position(options_.state_key, json);
}

// The topic first, the server after: the slot is never ahead of what is saved.
Result<void> StreamLoop::save_if_changed(Clock::time_point now) {
  if (saving_ || engine_.state() == saved_) return {};
  const bool only_idle = engine_.state().tables == saved_.tables;
  if (only_idle && now < idle_save_due_) return {};
  idle_save_due_ = now + options_.idle_save_interval;
  saving_ = engine_.state();
  return outlet_.save_state(options_.state_key, to_json(*saving_));
}

Result<void> StreamLoop::send_status() {
  reply_ = false;
  return stream_.send_status(std::max(received_, saved_.flushed), saved_.flushed, now_us());
}

Result<void> StreamLoop::inspect_slot() {
  const auto now = Clock::now();
  if (now < slot_due_) return {};
  slot_due_ = now + kSlotInterval;
  ASSIGN_OR_RETURN(const SideDatabase::SlotBytes bytes, side_.slot_bytes(options_.slot));
  metrics_.retained_wal_bytes.set(bytes.retained);
  metrics_.lag_bytes.set(bytes.lag);
  const bool above = bytes.retained > options_.retained_wal_warning_bytes;
  if (above && !retained_warned_) {
    log::warning(
        "slot {} keeps {:.1f} GiB of WAL, {:.1f} GiB of it not captured yet; look for a "
        "transaction that is open for long, or give the server max_slot_wal_keep_size",
        options_.slot, bytes.retained / (1 << 30), bytes.lag / (1 << 30));
  }
  retained_warned_ = above;
  return {};
}

void StreamLoop::report_stopped() {
  const std::vector<std::string> stopped = engine_.stopped();
  if (stopped.size() == stopped_reported_) return;
  for (const std::string& reason : stopped) log::error("no longer captured: table {}", reason);
  stopped_reported_ = stopped.size();
  health_.not_ready("tables", fmt::format("{}", fmt::join(stopped, "; ")));
}

void StreamLoop::wait() {
  const auto until_due = std::chrono::ceil<std::chrono::milliseconds>(status_due_ - Clock::now());
  auto timeout = std::clamp(until_due, std::chrono::milliseconds(0), options_.status_interval);
  if (outlet_.in_flight() > 0) timeout = std::min(timeout, kAcknowledgementWait);
  if (engine_.acknowledged_through() != position_.through) {
    const auto due = std::chrono::ceil<std::chrono::milliseconds>(position_due_ - Clock::now());
    timeout = std::min(timeout, std::max(due, std::chrono::milliseconds(0)));
  }
  const bool full = engine_.transactions() >= options_.transactions_max;
  if (full) timeout = std::min(timeout, kAcknowledgementWait);
  std::array<pollfd, 2> descriptors = {pollfd{wakeup_.descriptor(), POLLIN, 0},
                                       pollfd{stream_.socket(), POLLIN, 0}};
  // A signal, or nothing: the loop looks at everything in any case.
  (void)poll(descriptors.data(), full ? 1 : 2, static_cast<int>(timeout.count()));
}

Result<void> StreamLoop::finish() {
  stop_ = nullptr;
  RETURN_IF_ERROR(outlet_.flush());
  RETURN_IF_ERROR(outlet_.poll(std::chrono::milliseconds(0)));
  ASSIGN_OR_RETURN(const XidSnapshot snapshot, side_.snapshot());
  engine_.on_snapshot(snapshot);
  if (engine_.state() != saved_) {
    RETURN_IF_ERROR(outlet_.save_state(options_.state_key, to_json(engine_.state())));
    RETURN_IF_ERROR(outlet_.flush());
    RETURN_IF_ERROR(outlet_.poll(std::chrono::milliseconds(0)));
    saved_ = engine_.state();
  }
  metrics_.update(engine_, outlet_.bytes_sent());
  return send_status();
}

}  // namespace searchsync::capture
