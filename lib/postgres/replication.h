#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "lib/base/error.h"
#include "lib/postgres/connection.h"
#include "lib/postgres/lsn.h"

namespace searchsync::postgres {

// One message of an output plugin.
struct WalData {
  Lsn start;
  Lsn end;                   // of the server's WAL when it was sent; 0 if the plugin does not say
  std::string_view payload;  // valid until the next call of next()
};

// Everything that was committed before `end` has been sent.
struct Keepalive {
  Lsn end;
  bool reply_requested = false;
};

using StreamMessage = std::variant<WalData, Keepalive>;

// Errors: kMalformed with the byte position.
// Source: PostgreSQL, "Streaming Replication Protocol", "XLogData", "Primary keepalive message".
Result<StreamMessage> parse_stream_message(std::string_view bytes);

// "Standby status update". `now_us`: microseconds since 1970.
std::string standby_status(Lsn received, Lsn flushed, int64_t now_us);

// Logical replication from a slot by pgoutput. Not thread-safe.
class ReplicationStream {
 public:
  // `connection` in replication mode. Transactions that end after `from` are sent.
  // Errors: kUnavailable if another process reads the slot, kNotFound, kUnsupported (the slot's WAL
  // is gone).
  static Result<ReplicationStream> start(Connection connection, const std::string& slot,
                                         const std::string& publication, Lsn from);

  // nullopt: nothing is there now; wait until socket() can be read.
  Result<std::optional<StreamMessage>> next();
  // Tells the server that everything before `flushed` is safe and will not be asked for again.
  Result<void> send_status(Lsn received, Lsn flushed, int64_t now_us);
  int socket() const { return connection_.socket(); }

 private:
  explicit ReplicationStream(Connection connection) : connection_(std::move(connection)) {}

  Connection connection_;
};

}  // namespace searchsync::postgres
