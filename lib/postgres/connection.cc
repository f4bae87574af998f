#include "lib/postgres/connection.h"

#include <fmt/core.h>
#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <map>

#include "lib/postgres/sqlstate.h"

namespace searchsync::postgres {
namespace {

constexpr size_t kPreparedMax = 200;  // statements that a session remembers

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
struct FreeConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
struct FreeMemory {
  void operator()(char* memory) const { PQfreemem(memory); }
};
using ResultHandle = std::unique_ptr<PGresult, FreeResult>;
using OptionsHandle = std::unique_ptr<PQconninfoOption, FreeOptions>;

std::string one_line(const char* text) {
  std::string line(text != nullptr ? text : "");
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return line;
}

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text != nullptr ? text : "";
}

// In the `options` parameter a backslash protects spaces and itself.
std::string as_option(std::string_view name, std::string_view value) {
  std::string option = fmt::format(" -c {}=", name);
  for (const char c : value) {
    if (c == ' ' || c == '\\') option += '\\';
    option += c;
  }
  return option;
}

// libpq's own message for a string it cannot parse may quote the string, with the password in it.
std::unexpected<Error> bad_conninfo() {
  return fail(ErrorCode::kInvalidArgument,
              "the connection string is neither keyword=value pairs nor a postgresql:// URI that "
              "libpq understands; see PostgreSQL, \"Connection Strings\"");
}

// A connection that failed has no SQLSTATE: libpq gives text only.
ErrorCode code_of_connect(std::string_view message) {
  const auto has = [&](std::string_view part) { return message.find(part) != message.npos; };
  if (has("password authentication failed") || has("no pg_hba.conf entry") ||
      has("no password supplied") || has("is not permitted to log in") || has("certificate") ||
      (has("role") && has("does not exist")) || has("superuser or replication role")) {
    return ErrorCode::kPermission;
  }
  if (has("for connection option") || has("invalid port number") || has("invalid sslmode")) {
    return ErrorCode::kInvalidArgument;
  }
  if (has("database") && has("does not exist")) return ErrorCode::kNotFound;
  if (has("invalid value for parameter") || has("unrecognized configuration parameter")) {
    return ErrorCode::kUnsupported;
  }
  return ErrorCode::kUnavailable;
}

}  // namespace

struct Rows::Impl {
  ResultHandle result;
};

Rows::Rows() : impl_(std::make_unique<Impl>()) {}
Rows::~Rows() = default;
Rows::Rows(Rows&&) noexcept = default;
Rows& Rows::operator=(Rows&&) noexcept = default;

size_t Rows::size() const {
  return static_cast<size_t>(PQntuples(impl_->result.get()));
}
size_t Rows::columns() const {
  return static_cast<size_t>(PQnfields(impl_->result.get()));
}
std::string_view Rows::name(size_t column) const {
  return PQfname(impl_->result.get(), static_cast<int>(column));
}
uint32_t Rows::type(size_t column) const {
  return PQftype(impl_->result.get(), static_cast<int>(column));
}
std::optional<std::string_view> Rows::at(size_t row, size_t column) const {
  const PGresult* result = impl_->result.get();
  const int r = static_cast<int>(row);
  const int c = static_cast<int>(column);
  if (PQgetisnull(result, r, c)) return std::nullopt;
  return std::string_view(PQgetvalue(result, r, c), static_cast<size_t>(PQgetlength(result, r, c)));
}
std::string_view Rows::text(size_t row, size_t column) const {
  return at(row, column).value_or("");
}

std::vector<std::pair<std::string, std::string>> canonical_text_settings() {
  return {{"DateStyle", "ISO, YMD"},
          {"TimeZone", "UTC"},
          {"IntervalStyle", "iso_8601"},
          {"extra_float_digits", "1"},
          {"bytea_output", "hex"},
          {"client_encoding", "UTF8"},
          {"standard_conforming_strings", "on"},
          {"lc_monetary", "C"}};
}

struct Canceller::Impl {
  struct Free {
    void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
  };
  std::unique_ptr<PGcancel, Free> handle;
};

void Canceller::cancel() const {
  std::array<char, 256> ignored{};
  if (impl_ && impl_->handle) {
    PQcancel(impl_->handle.get(), ignored.data(), static_cast<int>(ignored.size()));
  }
}

struct Connection::Impl {
  std::unique_ptr<PGconn, FreeConnection> handle;
  std::unique_ptr<char, FreeMemory> copy_data;
  mutable std::optional<ServerError> server_error;
  std::map<std::string, std::string, std::less<>> prepared;  // names of statements, by their text
  uint64_t prepared_next = 0;

  bool gone() const { return PQstatus(handle.get()) != CONNECTION_OK; }

  std::unexpected<Error> failure(const PGresult* result) const {
    const std::string state = field(result, PG_DIAG_SQLSTATE);
    if (state.empty()) {
      return fail(gone() ? ErrorCode::kUnavailable : ErrorCode::kInternal,
                  fmt::format("PostgreSQL at {}: {}", PQhost(handle.get()),
                              one_line(PQerrorMessage(handle.get()))));
    }
    std::string message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    const std::string detail = field(result, PG_DIAG_MESSAGE_DETAIL);
    const std::string hint = field(result, PG_DIAG_MESSAGE_HINT);
    server_error = ServerError{state, message, detail, hint};
    if (!detail.empty()) message += "; " + detail;
    if (!hint.empty()) message += "; " + hint;
    return fail(gone() ? ErrorCode::kUnavailable : code_of_sqlstate(state),
                fmt::format("PostgreSQL database {}: {} (SQLSTATE {})", PQdb(handle.get()),
                            one_line(message.c_str()), state));
  }

  Result<Rows> rows_of(PGresult* raw) const {
    server_error.reset();
    Rows rows;
    rows.impl_->result.reset(raw);
    const ExecStatusType status = PQresultStatus(raw);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return rows;
    return failure(raw);
  }
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result<Connection> Connection::connect(const std::string& conninfo, const ConnectOptions& options) {
  char* unused_message = nullptr;  // may hold the password: freed unread
  const OptionsHandle parsed(PQconninfoParse(conninfo.c_str(), &unused_message));
  const std::unique_ptr<char, FreeMemory> free_message(unused_message);
  if (!parsed) return bad_conninfo();
  std::string session;
  for (const PQconninfoOption* o = parsed.get(); o->keyword != nullptr; ++o) {
    if (std::string_view(o->keyword) == "options" && o->val != nullptr) session = o->val;
  }
  for (const auto& [name, value] : options.settings) session += as_option(name, value);

  const std::string timeout = std::to_string(options.timeout.count());
  const bool replication = options.mode == ConnectOptions::Mode::kReplication;
  const std::array keywords = {"dbname",
                               "options",
                               "application_name",
                               "connect_timeout",
                               "tcp_user_timeout",
                               "keepalives_idle",
                               "keepalives_interval",
                               replication ? "replication" : nullptr,
                               static_cast<const char*>(nullptr)};
  const std::array values = {conninfo.c_str(),
                             session.c_str(),
                             options.application_name.c_str(),
                             timeout.c_str(),
                             "30000",
                             "10",
                             "5",
                             "database",
                             static_cast<const char*>(nullptr)};
  auto impl = std::make_unique<Impl>();
  impl->handle.reset(PQconnectdbParams(keywords.data(), values.data(), 1));
  if (impl->handle == nullptr) return fail(ErrorCode::kLimit, "libpq: out of memory");
  if (impl->gone()) {
    const std::string message = one_line(PQerrorMessage(impl->handle.get()));
    return fail(code_of_connect(message), "PostgreSQL: " + message);
  }
  PQsetNoticeProcessor(
      impl->handle.get(), [](void*, const char*) {}, nullptr);
  Connection connection(std::move(impl));
  for (const auto& [name, value] : options.settings) {
    ASSIGN_OR_RETURN(const Rows shown, connection.query("SHOW " + name));
    if (shown.size() == 1 && shown.text(0, 0) == value) continue;
    return fail(ErrorCode::kUnsupported,
                fmt::format("PostgreSQL: the session's {} is \"{}\" and must be \"{}\"; connect to "
                            "the server directly, a pooler in between drops such settings",
                            name, shown.size() == 1 ? shown.text(0, 0) : "", value));
  }
  return connection;
}

Result<Rows> Connection::query(const std::string& sql) {
  return impl_->rows_of(PQexec(impl_->handle.get(), sql.c_str()));
}

Result<Rows> Connection::query(const std::string& sql,
                               std::span<const std::optional<std::string>> values) {
  std::vector<const char*> pointers;
  for (const auto& value : values) pointers.push_back(value ? value->c_str() : nullptr);
  return impl_->rows_of(PQexecParams(impl_->handle.get(), sql.c_str(),
                                     static_cast<int>(pointers.size()), nullptr, pointers.data(),
                                     nullptr, nullptr, 0));
}

Connection::Together Connection::query_together(std::span<const Statement> statements) {
  PGconn* const handle = impl_->handle.get();
  Together together;
  impl_->server_error.reset();
  const auto lost = [&] {
    if (!together.error) together.error = impl_->failure(nullptr).error();
    return std::move(together);
  };
  if (impl_->prepared.size() >= kPreparedMax) {
    impl_->prepared.clear();
    if (const auto forgotten = query("DEALLOCATE ALL"); !forgotten) return lost();
  }
  if (PQenterPipelineMode(handle) != 1) return lost();
  std::vector<std::string> parsed;  // in the order of results; empty: it is a statement's own
  for (const Statement& statement : statements) {
    auto& prepared = impl_->prepared;
    const auto known = prepared.find(statement.sql);
    const std::string name =
        known != prepared.end() ? known->second : fmt::format("s{}", impl_->prepared_next++);
    if (known == prepared.end()) {
      if (PQsendPrepare(handle, name.c_str(), statement.sql, 0, nullptr) != 1) return lost();
      parsed.emplace_back(statement.sql);
      prepared.emplace(statement.sql, name);
    }
    std::vector<const char*> values;
    for (const auto& value : statement.values) values.push_back(value ? value->c_str() : nullptr);
    if (PQsendQueryPrepared(handle, name.c_str(), static_cast<int>(values.size()), values.data(),
                            nullptr, nullptr, 0) != 1) {
      return lost();
    }
    parsed.emplace_back();
  }
  if (PQpipelineSync(handle) != 1) return lost();
  // Each result is followed by a null, and all of them by one that says so.
  size_t at = 0;
  for (bool last_was_null = true;;) {
    ResultHandle result(PQgetResult(handle));
    if (!result && (last_was_null || impl_->gone())) return lost();
    last_was_null = !result;
    if (!result) continue;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_PIPELINE_SYNC) break;
    if (at == parsed.size()) return lost();
    const std::string& sql = parsed[at++];
    // What comes behind an error was not run; a lost session would only repeat that it is lost.
    if (!together.error) {
      auto rows = impl_->rows_of(result.release());
      if (rows && sql.empty()) together.rows.push_back(std::move(*rows));
      if (!rows) together.error = std::move(rows.error());
    }
    if (together.error && !sql.empty()) impl_->prepared.erase(sql);
  }
  if (PQexitPipelineMode(handle) != 1) return lost();
  return together;
}

bool Connection::is_silent() const {
  pollfd socket{.fd = PQsocket(impl_->handle.get()), .events = POLLIN, .revents = 0};
  return !impl_->gone() && ::poll(&socket, 1, 0) == 0;
}

const std::optional<ServerError>& Connection::server_error() const {
  return impl_->server_error;
}

std::string Connection::database() const {
  return PQdb(impl_->handle.get());
}
std::string Connection::user() const {
  return PQuser(impl_->handle.get());
}
std::string Connection::host() const {
  return PQhost(impl_->handle.get());
}
int Connection::server_version() const {
  return PQserverVersion(impl_->handle.get());
}
int Connection::socket() const {
  return PQsocket(impl_->handle.get());
}

Canceller Connection::canceller() const {
  Canceller canceller;
  canceller.impl_ = std::make_shared<Canceller::Impl>();
  canceller.impl_->handle.reset(PQgetCancel(impl_->handle.get()));
  return canceller;
}

Result<void> Connection::start_copy_both(const std::string& command) {
  const ResultHandle result(PQexec(impl_->handle.get(), command.c_str()));
  if (PQresultStatus(result.get()) != PGRES_COPY_BOTH) return impl_->failure(result.get());
  return {};
}

Result<std::optional<std::string_view>> Connection::next_copy_data() {
  PGconn* const handle = impl_->handle.get();
  impl_->copy_data.reset();
  for (int attempt = 0; attempt < 2; ++attempt) {
    char* data = nullptr;
    const int size = PQgetCopyData(handle, &data, 1);
    if (size > 0) {
      impl_->copy_data.reset(data);
      return std::string_view(data, static_cast<size_t>(size));
    }
    if (size == -2) return impl_->failure(nullptr);
    if (size == -1) {
      const ResultHandle result(PQgetResult(handle));
      if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) return impl_->failure(result.get());
      return fail(ErrorCode::kUnavailable, "PostgreSQL ended the replication stream");
    }
    if (attempt == 0 && PQconsumeInput(handle) == 0) {
      return fail(ErrorCode::kUnavailable, fmt::format("PostgreSQL replication stream: {}",
                                                       one_line(PQerrorMessage(handle))));
    }
  }
  return std::nullopt;
}

Result<void> Connection::put_copy_data(std::string_view bytes) {
  PGconn* const handle = impl_->handle.get();
  if (PQputCopyData(handle, bytes.data(), static_cast<int>(bytes.size())) != 1 ||
      PQflush(handle) < 0) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("PostgreSQL replication stream: {}", one_line(PQerrorMessage(handle))));
  }
  return {};
}

}  // namespace searchsync::postgres
