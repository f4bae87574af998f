#include "capture/run/session.h"

#include <fmt/core.h>

#include <chrono>
#include <memory>
#include <random>
#include <utility>

#include "capture/core/session_plan.h"
#include "capture/run/chunk_reader.h"
#include "capture/run/side_database.h"
#include "capture/run/state_topic.h"
#include "capture/run/stream_loop.h"
#include "capture/run/topic_outlet.h"
#include "capture/run/topics.h"
#include "lib/base/log.h"
#include "lib/kafka/admin.h"
#include "lib/postgres/quote.h"
#include "lib/postgres/replication.h"

namespace searchsync::capture {
namespace {

using postgres::Connection;
using postgres::ConnectOptions;
using Values = std::vector<std::optional<std::string>>;

Result<Connection> connect(const SessionOptions& options, ConnectOptions::Mode mode,
                           std::string_view purpose) {
  ConnectOptions connect;
  connect.mode = mode;
  connect.application_name = fmt::format("searchsync capture {} {}", options.wanted.name, purpose);
  connect.settings = postgres::canonical_text_settings();
  if (mode == ConnectOptions::Mode::kQuery) {
    // A timeout of the role would end a long chunk again and again; and our marks need no standby.
    connect.settings.insert(connect.settings.end(), {{"statement_timeout", "0"},
                                                     {"idle_in_transaction_session_timeout", "0"},
                                                     {"synchronous_commit", "local"}});
  }
  return Connection::connect(options.conninfo, connect);
}

// Everything that is known before the stream starts.
struct Prepared {
  SessionPlan plan;
  XidSnapshot barrier;
  std::string database;
};

class Preparation {
 public:
  Preparation(const SessionOptions& options, kafka::Admin& admin, TopicOutlet& outlet,
              Connection& control, Connection& replication, std::stop_token stop)
      : options_(options),
        admin_(admin),
        outlet_(outlet),
        control_(control),
        replication_(replication),
        stop_(std::move(stop)) {}

  Result<Prepared> run(Inspected inspected) {
    RETURN_IF_ERROR(identify(inspected.facts));
    RETURN_IF_ERROR(ensure_topics());
    ASSIGN_OR_RETURN(const auto saved,
                     load_state(options_.kafka, admin_, options_.state_topic, options_.wanted.slot,
                                [this] { return go_on(); }));
    // After the state: what an earlier session did is before these ends.
    RETURN_IF_ERROR(outlet_.read_ends());
    RETURN_IF_ERROR(look_into_new_topics(saved, inspected.facts));
    Prepared prepared;
    prepared.database = control_.database();
    prepared.plan = plan_session(saved, inspected.facts);
    // The publication first: a slot cannot decode log from before its publication.
    RETURN_IF_ERROR(fit_publication(control_, options_.wanted, inspected));
    for (const std::string& note : prepared.plan.notes) log::info("{}", note);
    if (!prepared.plan.new_slot_reason.empty()) {
      RETURN_IF_ERROR(make_slot(inspected.facts, prepared.plan));
    }
    ASSIGN_OR_RETURN(prepared.barrier, current_snapshot(control_));
    RETURN_IF_ERROR(outlet_.save_state(options_.wanted.slot, to_json(prepared.plan.state)));
    RETURN_IF_ERROR(outlet_.flush());
    return prepared;
  }

 private:
  Result<void> go_on() const {
    if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "stopped");
    return {};
  }

  Result<void> identify(SessionFacts& facts) {
    ASSIGN_OR_RETURN(const postgres::Rows system, replication_.query("IDENTIFY_SYSTEM"));
    facts.system_id = system.text(0, 0);
    facts.timeline = static_cast<uint32_t>(std::stoul(std::string(system.text(0, 1))));
    return {};
  }

  Result<void> ensure_topics() {
    RETURN_IF_ERROR(
        ensure_compacted_topic(admin_, options_.state_topic, 1, options_.replication_factor));
    RETURN_IF_ERROR(
        ensure_positions_topic(admin_, options_.positions_topic, options_.replication_factor));
    for (const WantedTable& table : options_.wanted.tables) {
      RETURN_IF_ERROR(ensure_compacted_topic(admin_, table.topic, options_.partitions,
                                             options_.replication_factor));
    }
    return {};
  }

  Result<void> look_into_new_topics(const std::optional<CaptureState>& saved, SessionFacts& facts) {
    for (TableFacts& table : facts.tables) {
      const std::string name = table.schema + "." + table.name;
      if (saved && saved->tables.contains(name) && saved->tables.at(name).topic == table.topic) {
        continue;
      }
      ASSIGN_OR_RETURN(table.topic_epoch, highest_epoch(options_.kafka, admin_, table.topic,
                                                        [this] { return go_on(); }));
    }
    return {};
  }

  Result<void> make_slot(const SessionFacts& facts, SessionPlan& plan) {
    const std::string& slot = options_.wanted.slot;
    log::info("slot {} is made anew, waiting for transactions that are open now: {}", slot,
              plan.new_slot_reason);
    if (facts.slot.exists) {
      RETURN_IF_ERROR(control_.query("SELECT pg_drop_replication_slot($1)", Values{slot}));
    }
    ASSIGN_OR_RETURN(
        const postgres::Rows made,
        control_.query("SELECT lsn FROM pg_create_logical_replication_slot($1, 'pgoutput')",
                       Values{slot}));
    ASSIGN_OR_RETURN(plan.state.flushed, postgres::parse_lsn(made.text(0, 0)));
    return {};
  }

  const SessionOptions& options_;
  kafka::Admin& admin_;
  TopicOutlet& outlet_;
  Connection& control_;
  Connection& replication_;
  const std::stop_token stop_;
};

std::string random_nonce() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

positions::LogIdentity identity_of(const CaptureState& state, std::string_view database) {
  // A decimal number of 64 bits, as the server says it.
  return {.system = std::stoull(state.system_id),
          .timeline = state.timeline,
          .database = positions::digest_of(database)};
}

Result<std::unique_ptr<TopicOutlet>> make_outlet(const SessionOptions& options,
                                                 kafka::Admin& admin) {
  TopicOutlet::Options outlet{.kafka = options.kafka,
                              .topics = {},
                              .state_topic = options.state_topic,
                              .positions_topic = options.positions_topic};
  for (const WantedTable& table : options.wanted.tables) outlet.topics.push_back(table.topic);
  return TopicOutlet::create(std::move(outlet), admin);
}

}  // namespace

Result<void> run_session(const SessionOptions& options, CaptureMetrics& metrics,
                         http::Health& health, const std::function<void()>& started,
                         std::stop_token stop) {
  using Mode = ConnectOptions::Mode;
  ASSIGN_OR_RETURN(const auto admin, kafka::Admin::create(options.kafka, {}));
  RETURN_IF_ERROR(admin->check_reachable(std::chrono::seconds(10)));
  ASSIGN_OR_RETURN(const auto outlet, make_outlet(options, *admin));
  outlet->while_waiting([&stop]() -> Result<void> {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "stopped");
    return {};
  });
  outlet->on_acknowledged([](uint64_t) {});

  ASSIGN_OR_RETURN(Connection control, connect(options, Mode::kQuery, "control"));
  ASSIGN_OR_RETURN(Connection reading, connect(options, Mode::kQuery, "snapshot"));
  const postgres::Canceller cancel_control = control.canceller();
  const std::stop_callback cancel(stop, [&] { cancel_control.cancel(); });
  // Before the stream's connection: without the right to replicate it says only that.
  ASSIGN_OR_RETURN(Inspected inspected, inspect(control, options.wanted));
  ASSIGN_OR_RETURN(Connection replication, connect(options, Mode::kReplication, "stream"));
  Preparation preparation(options, *admin, *outlet, control, replication, stop);
  ASSIGN_OR_RETURN(Prepared prepared, preparation.run(std::move(inspected)));
  const CaptureState saved = prepared.plan.state;
  std::vector<TableName> names;
  for (const CapturedTable& table : prepared.plan.tables) {
    names.push_back({table.schema, table.name, table.state.key_columns});
  }

  ASSIGN_OR_RETURN(auto stream,
                   postgres::ReplicationStream::start(std::move(replication), options.wanted.slot,
                                                      options.wanted.publication, saved.flushed));
  StreamLoop* loop = nullptr;
  const Wakeup wakeup;
  const std::stop_callback wake(stop, [&] { wakeup.wake(); });
  const auto while_waiting = [&loop] { return loop->while_waiting(); };
  SideDatabase side(std::move(control), names, while_waiting);
  ChunkReader chunks(std::move(reading), names, wakeup);
  Engine engine({.version = options.version,
                 .database = prepared.database,
                 .nonce = random_nonce(),
                 .barrier = prepared.barrier},
                std::move(prepared.plan.tables), saved, side, *outlet);
  StreamLoop stream_loop({.slot = options.wanted.slot,
                          .state_key = options.wanted.slot,
                          .log = identity_of(saved, prepared.database),
                          .retained_wal_warning_bytes = options.retained_wal_warning_bytes},
                         engine, stream, side, chunks, *outlet, wakeup, metrics, health, saved);
  loop = &stream_loop;
  outlet->while_waiting(while_waiting);
  outlet->on_acknowledged([&](uint64_t token) { stream_loop.acknowledged(token); });
  log::info("slot {} streams from {}", options.wanted.slot, postgres::to_string(saved.flushed));
  // Whoever is told that it is ready may ask at once which tables have yet to be read.
  metrics.update(engine, outlet->bytes_sent());
  health.ready("capture");
  health.ready("kafka");
  health.ready("tables");
  metrics.sessions.add();
  started();
  auto result = stream_loop.run(stop);
  metrics.session_ended();
  return result;
}

}  // namespace searchsync::capture
