#include "lib/postgres/replication.h"

#include <fmt/core.h>

#include "lib/postgres/quote.h"

namespace searchsync::postgres {
namespace {

// PostgreSQL counts microseconds from 2000-01-01.
constexpr int64_t kEpochOffsetUs = 946'684'800'000'000;

uint64_t read_u64(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void append_u64(std::string& bytes, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
}

}  // namespace

Result<StreamMessage> parse_stream_message(std::string_view bytes) {
  if (bytes.empty()) return fail(ErrorCode::kMalformed, "replication message at byte 0: empty");
  if (bytes[0] == 'w') {
    if (bytes.size() < 25) {
      return fail(ErrorCode::kMalformed,
                  fmt::format("replication message at byte {}: WAL data ends within its header",
                              bytes.size()));
    }
    return WalData{Lsn(read_u64(bytes, 1)), Lsn(read_u64(bytes, 9)), bytes.substr(25)};
  }
  if (bytes[0] == 'k') {
    if (bytes.size() != 18) {
      return fail(
          ErrorCode::kMalformed,
          fmt::format("replication message at byte {}: a keepalive has 18 bytes", bytes.size()));
    }
    return Keepalive{Lsn(read_u64(bytes, 1)), bytes[17] != 0};
  }
  return fail(ErrorCode::kMalformed,
              fmt::format("replication message at byte 0: unknown type 0x{:02x}",
                          static_cast<unsigned char>(bytes[0])));
}

std::string standby_status(Lsn received, Lsn flushed, int64_t now_us) {
  std::string bytes = "r";
  append_u64(bytes, received.get());
  append_u64(bytes, flushed.get());
  append_u64(bytes, flushed.get());
  append_u64(bytes, static_cast<uint64_t>(now_us - kEpochOffsetUs));
  bytes += '\0';
  return bytes;
}

Result<ReplicationStream> ReplicationStream::start(Connection connection, const std::string& slot,
                                                   const std::string& publication, Lsn from) {
  RETURN_IF_ERROR(connection.start_copy_both(fmt::format(
      "START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names {}, "
      "messages 'true')",
      quote_identifier(slot), to_string(from), quote_literal(quote_identifier(publication)))));
  return ReplicationStream(std::move(connection));
}

Result<std::optional<StreamMessage>> ReplicationStream::next() {
  ASSIGN_OR_RETURN(const auto bytes, connection_.next_copy_data());
  if (!bytes) return std::nullopt;
  ASSIGN_OR_RETURN(StreamMessage message, parse_stream_message(*bytes));
  return message;
}

Result<void> ReplicationStream::send_status(Lsn received, Lsn flushed, int64_t now_us) {
  return connection_.put_copy_data(standby_status(received, flushed, now_us));
}

}  // namespace searchsync::postgres
