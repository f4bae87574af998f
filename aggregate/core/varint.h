#pragma once

// Integers in as few bytes as they need: seven bits a byte, the lowest first.

#include <cstdint>
#include <string>
#include <string_view>

namespace searchsync::aggregate {

__extension__ using Int128 = __int128;
__extension__ using Uint128 = unsigned __int128;

inline void append_varint(std::string& out, Uint128 value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(value & 0x7f) | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Small ones of either sign stay short.
inline void append_signed(std::string& out, Int128 value) {
  const auto bits = static_cast<Uint128>(value);
  append_varint(out, value < 0 ? ~(bits << 1) : bits << 1);
}

// Reads what the above wrote, in the same order. After the first read past the end ok() is false,
// and everything read is zero or empty.
class VarintReader {
 public:
  explicit VarintReader(std::string_view bytes) : rest_(bytes) {}

  Uint128 wide() {
    Uint128 value = 0;
    for (int shift = 0; shift < 128 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<Uint128>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    rest_ = {};
    return 0;
  }

  // Most are one byte long.
  uint64_t integer() {
    if (!rest_.empty() && static_cast<unsigned char>(rest_.front()) < 0x80) {
      const auto value = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      return value;
    }
    const Uint128 value = wide();
    if (value > UINT64_MAX) ok_ = false;
    return ok_ ? static_cast<uint64_t>(value) : 0;
  }

  Int128 signed_wide() {
    const Uint128 bits = wide();
    return static_cast<Int128>((bits & 1) != 0 ? ~(bits >> 1) : bits >> 1);
  }

  std::string_view bytes() {
    const uint64_t size = integer();
    if (rest_.size() < size) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace searchsync::aggregate
