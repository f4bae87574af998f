#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"

namespace searchsync::postgres {

// What a statement returned, values in PostgreSQL's text form. Views live as long as the Rows.
class Rows {
 public:
  Rows();
  ~Rows();
  Rows(Rows&&) noexcept;
  Rows& operator=(Rows&&) noexcept;

  size_t size() const;  // rows
  size_t columns() const;
  std::string_view name(size_t column) const;
  uint32_t type(size_t column) const;  // an OID; a domain's is that of its base type
  // nullopt: NULL.
  std::optional<std::string_view> at(size_t row, size_t column) const;
  // NULL as an empty text.
  std::string_view text(size_t row, size_t column) const;

 private:
  friend class Connection;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct ConnectOptions {
  enum class Mode {
    kQuery,
    kReplication,  // of the one database named in the connection string; statements without
                   // parameters are allowed too
  };
  Mode mode = Mode::kQuery;
  std::string application_name = "searchsync";
  // Run-time settings of the session, such as {"TimeZone", "UTC"}. They win over those of the role
  // and the database, and over `options` in the connection string.
  std::vector<std::pair<std::string, std::string>> settings;
  std::chrono::seconds timeout{10};
};

// Settings that make text output canonical: what capture compares and writes depends on them.
std::vector<std::pair<std::string, std::string>> canonical_text_settings();

// Ends the statement that a connection runs now, if any, with kTimeout. Thread-safe; may outlive
// its connection, and then does nothing useful.
class Canceller {
 public:
  void cancel() const;

 private:
  friend class Connection;
  struct Impl;
  std::shared_ptr<Impl> impl_;  // copies share one handle, each may be the last
};

// What the server said of a statement that failed.
struct ServerError {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
};

// One statement, with a text for each $1, $2, …; nullopt: NULL. Both must outlive its use.
struct Statement {
  const char* sql = "";
  std::span<const std::optional<std::string>> values = {};
};

// A session. Not thread-safe. After kUnavailable from any call the session is gone: connect anew.
// No message holds a password.
class Connection {
 public:
  // `conninfo`: a libpq connection string or URI.
  // Errors: kInvalidArgument (the string), kUnavailable, kPermission, kNotFound (the database),
  // kUnsupported if the server did not take a setting (a pooler in between).
  static Result<Connection> connect(const std::string& conninfo, const ConnectOptions& options);
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  // Runs one or more statements and returns the rows of the last. Errors: by SQLSTATE, which the
  // message ends with.
  Result<Rows> query(const std::string& sql);
  // One statement, with $1, $2, … in text form; nullopt: NULL. Not in replication mode.
  Result<Rows> query(const std::string& sql, std::span<const std::optional<std::string>> values);

  // What became of statements that were sent together.
  struct Together {
    std::vector<Rows> rows;      // of each, in order, up to the one that failed
    std::optional<Error> error;  // what failed; none of those behind it was run
  };
  // In one round trip. BEGIN and COMMIT may be among them. Not in replication mode. Where the
  // session is lost all may have been run, also those whose rows did not arrive. A text is
  // parsed once in a session, as long as they are few, with the types that its parameters had then.
  Together query_together(std::span<const Statement> statements);

  // Whether the server has said nothing of its own accord. One that has ended the session has.
  bool is_silent() const;

  // Of the last statement, if it failed and the server said why.
  const std::optional<ServerError>& server_error() const;

  std::string database() const;
  std::string user() const;
  std::string host() const;
  int server_version() const;  // 150020 for 15.20
  int socket() const;
  Canceller canceller() const;

  // COPY in both directions, as START_REPLICATION starts it.
  Result<void> start_copy_both(const std::string& command);
  // The next message, valid until the next call; nullopt: none is there now. Errors: kUnavailable
  // when the stream ended, or what the server said.
  Result<std::optional<std::string_view>> next_copy_data();
  // Sends a message; may wait for the socket.
  Result<void> put_copy_data(std::string_view bytes);

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::postgres
