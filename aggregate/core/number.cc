#include "aggregate/core/number.h"

#include <algorithm>
#include <array>

namespace searchsync::aggregate {
namespace {

constexpr int kWholeMax = 19;
constexpr int kScaleMax = 18;
constexpr int kExponentMax = 1000;

constexpr auto kPowers = [] {
  std::array<Int128, kWholeMax + kScaleMax + 1> powers{};
  powers[0] = 1;
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

constexpr Int128 power(int exponent) {
  return kPowers[static_cast<size_t>(exponent)];
}

// Whether so many units have at most kWholeMax digits before the point.
bool fits(Int128 units, int scale) {
  const Int128 limit = power(kWholeMax + scale);
  return units < limit && units > -limit;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Up to kExponentMax in either direction.
int take_exponent(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int value = 0;
  for (const char c : text) value = std::min(kExponentMax, value * 10 + (c - '0'));
  return negative ? -value : value;
}

}  // namespace

std::optional<Number> Number::parse(std::string_view json) {
  const bool negative = json.starts_with('-');
  Int128 units = 0;
  int scale = 0;
  bool fraction = false;
  size_t at = negative ? 1 : 0;
  for (; at < json.size() && (is_digit(json[at]) || json[at] == '.'); ++at) {
    if (json[at] == '.') {
      fraction = true;
      continue;
    }
    if (units >= kPowers.back()) return std::nullopt;
    units = units * 10 + (json[at] - '0');
    scale += fraction ? 1 : 0;
  }
  if (at < json.size()) scale -= take_exponent(json.substr(at + 1));
  if (units == 0) scale = std::clamp(scale, 0, kScaleMax);
  while (scale > kScaleMax && units % 10 == 0) {
    units /= 10;
    --scale;
  }
  if (scale > kScaleMax || scale < -kWholeMax) return std::nullopt;
  for (; scale < 0; ++scale) {
    if (!fits(units, 0)) return std::nullopt;
    units *= 10;
  }
  if (!fits(units, scale)) return std::nullopt;
  return Number(negative ? -units : units, scale);
}

std::optional<Number> Number::sum(const Number& a, const Number& b) {
  const int scale = std::max(a.scale_, b.scale_);
  const Int128 units = a.units_ * power(scale - a.scale_) + b.units_ * power(scale - b.scale_);
  if (!fits(units, scale)) return std::nullopt;
  return Number(units, scale);
}

std::strong_ordering Number::compare(const Number& other) const {
  const int scale = std::max(scale_, other.scale_);
  const Int128 mine = units_ * power(scale - scale_);
  const Int128 its = other.units_ * power(scale - other.scale_);
  return mine <=> its;
}

std::strong_ordering Number::compare(int64_t other) const {
  return compare(Number(other, 0));
}

void Number::append_to(std::string& out) const {
  Uint128 rest = units_ < 0 ? -static_cast<Uint128>(units_) : static_cast<Uint128>(units_);
  std::array<char, 48> digits{};
  size_t at = digits.size();
  int written = 0;
  do {
    if (written == scale_ && scale_ > 0) digits[--at] = '.';
    digits[--at] = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
    ++written;
  } while (rest > 0 || written <= scale_);
  if (units_ < 0) out += '-';
  out.append(digits.data() + at, digits.size() - at);
}

void Number::encode(std::string& out) const {
  append_varint(out, static_cast<Uint128>(scale_));
  append_signed(out, units_);
}

Number Number::decode(VarintReader& reader) {
  const uint64_t scale = reader.integer();
  const Int128 units = reader.signed_wide();
  if (scale > kScaleMax || !fits(units, static_cast<int>(scale))) {
    reader = VarintReader({});
    (void)reader.integer();
    return {};
  }
  return Number(units, static_cast<int>(scale));
}

}  // namespace searchsync::aggregate
