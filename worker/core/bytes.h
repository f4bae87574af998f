#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace searchsync::worker {

// Integers are big-endian everywhere we store them, so that keys sort by value.
template <class T>
void append_integer(std::string& out, T value) {
  char bytes[sizeof(T)];
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<char>(static_cast<uint64_t>(value) >> (sizeof(T) - 1 - i) * 8 & 0xff);
  }
  out.append(bytes, sizeof(T));
}

// A string of at most 65,535 bytes, preceded by its length: a prefix that no other string shares.
inline void append_short_string(std::string& out, std::string_view text) {
  append_integer(out, static_cast<uint16_t>(text.size()));
  out.append(text);
}

// Reads what the above wrote, in the same order. After the first read past the end, ok() is false
// and every further read returns zeros.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T integer() {
    if (rest_.size() < sizeof(T)) {
      ok_ = false;
      rest_ = {};
      return T{};
    }
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value = value << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(sizeof(T));
    return static_cast<T>(value);
  }

  std::string_view short_string() { return bytes(integer<uint16_t>()); }

  std::string_view bytes(size_t count) {
    if (rest_.size() < count) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace searchsync::worker
