#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aggregate/core/varint.h"

namespace searchsync::aggregate {

// An exact decimal number: at most 19 digits before the point, and 18 behind it. It keeps how many
// it was written with, as SQL's numeric does: 1.50 and 1.50 are 3.00.
class Number {
 public:
  Number() = default;

  // json: a number by JSON's grammar. Nothing if it has more digits than a Number.
  static std::optional<Number> parse(std::string_view json);
  // Nothing if it has more digits than a Number.
  static std::optional<Number> sum(const Number& a, const Number& b);

  // Of values: 1.5 and 1.50 are equal.
  std::strong_ordering compare(const Number& other) const;
  std::strong_ordering compare(int64_t other) const;

  // As JSON writes it, without an exponent.
  void append_to(std::string& out) const;
  void encode(std::string& out) const;
  // Of what encode() wrote; the reader is not ok() if it is anything else.
  static Number decode(VarintReader& reader);

 private:
  Number(Int128 units, int scale) : units_(units), scale_(scale) {}

  Int128 units_ = 0;  // of the last digit
  int scale_ = 0;     // digits behind the point
};

}  // namespace searchsync::aggregate
