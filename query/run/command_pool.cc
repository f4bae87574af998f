#include "query/run/command_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "lib/base/log.h"

namespace searchsync::query {
namespace {

using Failure = CommandPool::Failure;
using Kind = Failure::Kind;

// What the role may do that it must not; no row: nothing.
constexpr const char* kForbidden = R"(
SELECT CASE WHEN r.rolsuper THEN 'is a superuser'
            WHEN r.rolcreaterole OR r.rolcreatedb THEN 'may create roles or databases'
            WHEN r.rolreplication OR r.rolbypassrls THEN 'may replicate, or pass row security by'
            ELSE 'may write ' || t.name END
FROM pg_catalog.pg_roles r
LEFT JOIN LATERAL (
  SELECT c.oid::pg_catalog.regclass::text AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname !~ '^pg_|^information_schema$'
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    AND (pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
         OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
  ORDER BY 1 LIMIT 1) t ON true
WHERE r.rolname = current_user
  AND (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
       OR t.name IS NOT NULL))";

// In front of COMMIT: nothing that is not flushed may be taken for committed.
constexpr const char* kFlush = R"(
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off')";
constexpr const char* kPlace = R"(
SELECT f.lsn, pg_catalog.substr(pg_catalog.pg_walfile_name(f.lsn), 1, 8)
FROM pg_catalog.pg_current_wal_flush_lsn() AS f(lsn))";
constexpr std::array<postgres::Statement, 3> kEnd = {{{kFlush}, {"COMMIT"}, {kPlace}}};
constexpr size_t kCommit = 3;  // where it stands, behind BEGIN and the call

template <class T>
std::optional<T> number(std::string_view text, int base) {
  T value{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_unknown_function(const Failure& failure) {
  return failure.refusal && failure.refusal->sqlstate == "42883";
}

}  // namespace

CommandPool::CommandPool(Options options) : options_(std::move(options)) {}

Result<CommandPool::Session> CommandPool::connect() {
  ASSIGN_OR_RETURN(const std::string conninfo, options_.conninfo());
  postgres::ConnectOptions connect;
  connect.application_name = "searchsync commands";
  connect.settings = {{"statement_timeout", fmt::format("{}ms", options_.timeout.count())},
                      {"client_encoding", "UTF8"},
                      {"standard_conforming_strings", "on"}};
  // The server shows whole seconds as such.
  if (options_.timeout.count() % 1000 == 0) {
    connect.settings[0].second = options_.timeout.count() % 60'000 == 0
                                     ? fmt::format("{}min", options_.timeout.count() / 60'000)
                                     : fmt::format("{}s", options_.timeout.count() / 1000);
  }
  ASSIGN_OR_RETURN(auto connection, postgres::Connection::connect(conninfo, connect));
  ASSIGN_OR_RETURN(const auto forbidden, connection.query(kForbidden));
  if (forbidden.size() > 0) {
    return fail(ErrorCode::kPermission,
                fmt::format("role {} {}: give commands a role of their own that may call their "
                            "functions, and nothing else",
                            connection.user(), forbidden.text(0, 0)));
  }
  ASSIGN_OR_RETURN(const auto system, connection.query("SELECT system_identifier::text FROM "
                                                       "pg_catalog.pg_control_system()"));
  const auto id = number<uint64_t>(system.text(0, 0), 10);
  if (!id) return fail(ErrorCode::kInternal, "the system identifier is no number");
  // What comes behind COMMIT must not fail.
  RETURN_IF_ERROR(connection.query(kPlace));
  const std::string database = positions::digest_of(connection.database());
  return Session{std::move(connection), *id, database};
}

std::expected<CommandPool::Session, Failure> CommandPool::borrow(Clock::time_point deadline) {
  {
    std::unique_lock lock(mutex_);
    const auto free = [this] { return !idle_.empty() || open_ < options_.connections; };
    if (!free()) {
      if (waiting_ >= kWaitersMax) return std::unexpected(Failure{Kind::kBusy, "", std::nullopt});
      ++waiting_;
      const bool freed = changed_.wait_until(lock, deadline, free);
      --waiting_;
      if (!freed) return std::unexpected(Failure{Kind::kBusy, "", std::nullopt});
    }
    while (!idle_.empty()) {
      Session session = std::move(idle_.back());
      idle_.pop_back();
      if (session.connection.is_silent()) return session;
      --open_;  // the server has ended it meanwhile
    }
    ++open_;
  }
  auto session = connect();
  if (session) return std::move(*session);
  give_back(std::nullopt);
  return std::unexpected(Failure{Kind::kAway, session.error().message, std::nullopt});
}

void CommandPool::give_back(std::optional<Session> session) {
  const std::lock_guard lock(mutex_);
  if (session) {
    session->used = true;
    idle_.push_back(std::move(*session));
  } else {
    --open_;
  }
  changed_.notify_one();
}

std::expected<CommandPool::Outcome, Failure> CommandPool::run(const Call& call,
                                                              Clock::time_point deadline) {
  auto session = borrow(deadline);
  if (!session) return std::unexpected(session.error());
  bool broken = false;
  auto outcome = run(*session, call, broken);
  if (session->used && !outcome && is_unknown_function(outcome.error())) {
    // It may have been made anew, with other types: the session remembers those before.
    broken = true;
    if (auto other = connect()) {
      session = std::move(*other);
      broken = false;
      outcome = run(*session, call, broken);
    }
  }
  give_back(broken ? std::nullopt : std::optional(std::move(*session)));
  return outcome;
}

// In a transaction, which is over afterwards, unless broken. One round trip, or two where the rows
// decide whether it is committed.
std::expected<CommandPool::Outcome, Failure> CommandPool::run(Session& session, const Call& call,
                                                              bool& broken) {
  postgres::Connection& connection = session.connection;
  std::vector<postgres::Statement> statements = {{"BEGIN"}, {call.sql.c_str(), call.values}};
  if (!call.many) statements.insert(statements.end(), kEnd.begin(), kEnd.end());
  auto done = connection.query_together(statements);
  const auto undo = [&](Failure failure) {
    broken = !connection.query("ROLLBACK");
    return std::unexpected(std::move(failure));
  };
  if (call.many && !done.error) {
    if (done.rows[1].size() > kCommandRowsMax) return undo({Kind::kTooManyRows, "", std::nullopt});
    auto end = connection.query_together(kEnd);
    std::ranges::move(end.rows, std::back_inserter(done.rows));
    done.error = std::move(end.error);
  }
  if (done.error) {
    const size_t failed = done.rows.size();
    const auto said = connection.server_error();
    const bool gone = done.error->code == ErrorCode::kUnavailable && !connection.is_silent();
    if (said && failed <= kCommit && !gone) {
      return undo({Kind::kRefused, "", said});
    }
    broken = true;
    // If the server has said so, it ended the session before it came to COMMIT.
    const Kind kind = said && failed < kCommit ? Kind::kAway : Kind::kUnknown;
    return std::unexpected(Failure{kind, done.error->message, std::nullopt});
  }
  Outcome outcome;
  const postgres::Rows& rows = done.rows[1];
  outcome.count = rows.size();
  for (size_t i = 0; i < rows.size() && rows.columns() > 0; ++i) {
    if (i > 0) outcome.rows += ',';
    outcome.rows += rows.at(i, 0).value_or("null");
  }
  const auto lsn = postgres::parse_lsn(done.rows.back().text(0, 0));
  const auto timeline = number<uint32_t>(done.rows.back().text(0, 1), 16);
  if (!lsn || !timeline) {
    broken = true;
    return std::unexpected(
        Failure{Kind::kUnknown, "the server's place in its log cannot be read", std::nullopt});
  }
  outcome.token = {
      .log = {.system = session.system, .timeline = *timeline, .database = session.database},
      .lsn = *lsn};
  return outcome;
}

}  // namespace searchsync::query
