#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string_view>

#include "lib/base/error.h"

namespace searchsync::capture {

// Takes big-endian numbers and texts off the front of a message, and notices its end. After the
// first failure everything read is 0 or empty: read on, then ask ok() once.
class BytesReader {
 public:
  explicit BytesReader(std::string_view bytes) : bytes_(bytes) {}

  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }

  std::string_view take(size_t size) {
    if (!ok_ || bytes_.size() - at_ < size) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
  }

  // Up to a zero byte, which is taken too.
  std::string_view text() {
    const size_t end = ok_ ? bytes_.find('\0', at_) : std::string_view::npos;
    if (end == std::string_view::npos) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return taken;
  }

  bool ok() const { return ok_; }
  size_t position() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }

  std::unexpected<Error> malformed(std::string_view what) const {
    return fail(ErrorCode::kMalformed, fmt::format("pgoutput message at byte {}: {}", at_, what));
  }

 private:
  uint64_t number(size_t size) {
    uint64_t value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }

  const std::string_view bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace searchsync::capture
