#include "worker/core/decimal.h"

#include <fmt/core.h>

#include <vector>

namespace searchsync::worker {
namespace {

constexpr uint32_t kNineDigits = 1'000'000'000;

// The digits of an integer in two's complement, without a sign.
std::string digits_of(std::string_view bytes, bool negative) {
  std::vector<uint32_t> groups;  // of nine digits, the lowest first
  const auto multiply_add = [&groups](uint32_t factor, uint32_t carry) {
    uint64_t rest = carry;
    for (auto& group : groups) {
      rest += uint64_t{group} * factor;
      group = static_cast<uint32_t>(rest % kNineDigits);
      rest /= kNineDigits;
    }
    if (rest > 0) groups.push_back(static_cast<uint32_t>(rest));
  };
  // Minus x is the complement of x, and one.
  for (const char byte : bytes) {
    multiply_add(256, static_cast<unsigned char>(negative ? ~byte : byte));
  }
  if (negative) multiply_add(1, 1);
  if (groups.empty()) return "0";
  std::string digits = fmt::format("{}", groups.back());
  for (size_t i = groups.size() - 1; i-- > 0;) {
    fmt::format_to(std::back_inserter(digits), "{:09}", groups[i]);
  }
  return digits;
}

}  // namespace

bool append_decimal(std::string_view unscaled, int32_t scale, std::string& out) {
  if (unscaled.size() > kDecimalBytesMax) return false;
  if (scale > kDecimalScaleMax || scale < -kDecimalScaleMax) return false;
  const bool negative = !unscaled.empty() && (unscaled.front() & 0x80) != 0;
  std::string digits = digits_of(unscaled, negative);
  if (scale <= 0) {
    if (digits != "0") digits.append(static_cast<size_t>(-scale), '0');
  } else {
    const auto fraction = static_cast<size_t>(scale);
    if (digits.size() <= fraction) digits.insert(0, fraction + 1 - digits.size(), '0');
    digits.insert(digits.size() - fraction, 1, '.');
  }
  if (negative) out += '-';
  out += digits;
  return true;
}

void append_bits(std::string_view bytes, size_t count, std::string& out) {
  for (size_t i = count; i-- > 0;) {
    const bool set = i / 8 < bytes.size() && (bytes[i / 8] >> (i % 8) & 1) != 0;
    out += set ? '1' : '0';
  }
}

void append_hex(std::string_view bytes, std::string& out) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char byte : bytes) {
    out += kDigits[static_cast<unsigned char>(byte) >> 4];
    out += kDigits[static_cast<unsigned char>(byte) & 15];
  }
}

}  // namespace searchsync::worker
