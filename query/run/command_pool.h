#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/resources.h"
#include "lib/positions/position.h"
#include "lib/postgres/connection.h"
#include "query/commands.h"

namespace searchsync::query {

// Runs calls on a bounded number of connections to a database, each in a transaction of its own.
// Connects when it is asked. Thread-safe; each call takes the thread that makes it.
class CommandPool {
 public:
  using Clock = std::chrono::steady_clock;
  // Who wait for a connection, each with a thread that queries want too.
  static constexpr size_t kWaitersMax = 64;

  struct Options {
    // Of the database, as a libpq connection string; asked for each connection, so that rotated
    // secrets are taken.
    std::function<Result<std::string>()> conninfo;
    int32_t connections = 8;
    std::chrono::milliseconds timeout{5'000};  // of a command; the server sees to it
  };

  explicit CommandPool(Options options);

  struct Outcome {
    std::string rows;  // of to_json(), with commas between
    size_t count = 0;
    positions::Token token;
  };
  struct Failure {
    enum class Kind {
      kRefused,      // by the database; it is rolled back
      kTooManyRows,  // more than kCommandRowsMax; it is rolled back
      kBusy,         // no connection was free in time, or too many wait for one
      kAway,         // the database cannot be used as it is: nothing was done
      kUnknown,      // the connection was lost, perhaps behind COMMIT
    };
    Kind kind = Kind::kAway;
    std::string message;                           // for kAway and kUnknown, for the log
    std::optional<postgres::ServerError> refusal;  // kRefused
  };
  std::expected<Outcome, Failure> run(const Call& call, Clock::time_point deadline);

 private:
  // A connection, and what the database said of itself.
  struct Session {
    postgres::Connection connection;
    uint64_t system = 0;
    std::string database;  // its digest
    bool used = false;
  };

  std::expected<Session, Failure> borrow(Clock::time_point deadline);
  // A connection that is no longer good is not given back, but makes room for another.
  void give_back(std::optional<Session> session);
  Result<Session> connect();
  std::expected<Outcome, Failure> run(Session& session, const Call& call, bool& broken);

  const Options options_;
  std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable changed_;
  std::vector<Session> idle_;
  int32_t open_ = 0;  // idle, lent, or being opened
  size_t waiting_ = 0;
};

}  // namespace searchsync::query
