#include "lib/postgres/replication.h"

#include <gtest/gtest.h>

namespace searchsync::postgres {
namespace {

std::string u64(uint64_t value) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

TEST(StreamMessage, WalDataAndKeepalives) {
  const std::string data = "w" + u64(5) + u64(9) + u64(0) + "payload";
  const auto wal = parse_stream_message(data);
  ASSERT_TRUE(wal);
  EXPECT_EQ(std::get<WalData>(*wal).start, Lsn(5));
  EXPECT_EQ(std::get<WalData>(*wal).end, Lsn(9));
  EXPECT_EQ(std::get<WalData>(*wal).payload, "payload");

  const std::string alive = "k" + u64(77) + u64(0) + '\x01';
  const auto keepalive = parse_stream_message(alive);
  ASSERT_TRUE(keepalive);
  EXPECT_EQ(std::get<Keepalive>(*keepalive).end, Lsn(77));
  EXPECT_TRUE(std::get<Keepalive>(*keepalive).reply_requested);
}

TEST(StreamMessage, TornBytesNameTheirPlace) {
  const std::string data = "w" + u64(5) + u64(9) + u64(0);
  for (size_t size = 0; size < data.size(); ++size) {
    const auto torn = parse_stream_message(std::string_view(data).substr(0, size));
    ASSERT_FALSE(torn) << size;
    EXPECT_EQ(torn.error().code, ErrorCode::kMalformed);
    EXPECT_NE(torn.error().message.find("byte"), std::string::npos);
  }
  EXPECT_FALSE(parse_stream_message("z"));
  EXPECT_FALSE(parse_stream_message("k"));
}

TEST(StandbyStatus, HasThePlacesAndPostgresOwnClock) {
  const std::string status = standby_status(Lsn(7), Lsn(5), 946'684'800'000'042);
  EXPECT_EQ(status, "r" + u64(7) + u64(5) + u64(5) + u64(42) + std::string(1, '\0'));
}

}  // namespace
}  // namespace searchsync::postgres
