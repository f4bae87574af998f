#pragma once

// Binary forms of values as text.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace searchsync::worker {

inline constexpr size_t kDecimalBytesMax = 4096;  // some 9,800 digits
inline constexpr int32_t kDecimalScaleMax = 20'000;

// Appends a number's exact text: its unscaled value as a big-endian integer in two's complement,
// and how many of its digits stand behind the point. False, with nothing appended, if either is
// beyond its limit. Source: Kafka Connect, org.apache.kafka.connect.data.Decimal.
bool append_decimal(std::string_view unscaled, int32_t scale, std::string& out);

// Appends little-endian bits as PostgreSQL writes a bit string, the highest first. count: of the
// bits; bytes that are missing are zero.
// Source: Debezium, io.debezium.data.Bits.
void append_bits(std::string_view bytes, size_t count, std::string& out);

// Appends bytes as upper-case hexadecimal digits.
void append_hex(std::string_view bytes, std::string& out);

}  // namespace searchsync::worker
