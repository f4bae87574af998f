#include "lib/base/gzip.h"

#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "lib/base/check.h"

namespace searchsync {
namespace {

constexpr int kGzipOnly = 16;
constexpr int kLargestWindow = 15;
constexpr int kMemoryLevel = 8;  // zlib's default

struct EndInflate {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

std::unexpected<Error> malformed(const z_stream& stream) {
  return fail(
      ErrorCode::kMalformed,
      fmt::format("no gzip stream: {}", stream.msg == nullptr ? "it is cut off" : stream.msg));
}

// zlib takes a pointer to what it does not change.
Bytef* input(std::string_view bytes) {
  CHECK(bytes.size() <= std::numeric_limits<uInt>::max());
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

std::string gzip(std::string_view text) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kLargestWindow + kGzipOnly,
                     kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = input(text);
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

bool is_gzip(std::string_view bytes) {
  return bytes.starts_with("\x1f\x8b");
}

Result<std::string> gunzip(std::string_view compressed, size_t bytes_max) {
  z_stream stream{};
  CHECK(inflateInit2(&stream, kLargestWindow + kGzipOnly) == Z_OK);
  const std::unique_ptr<z_stream, EndInflate> end(&stream);
  stream.next_in = input(compressed);
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  std::array<char, 32 << 10> part;
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(part.data());
    stream.avail_out = part.size();
    const int result = inflate(&stream, Z_NO_FLUSH);
    const size_t size = part.size() - stream.avail_out;
    if (out.size() + size > bytes_max) {
      return fail(ErrorCode::kLimit, fmt::format("decompressed it is over {} bytes", bytes_max));
    }
    out.append(part.data(), size);
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) return out;
      CHECK(inflateReset(&stream) == Z_OK);
    } else if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)) {
      return malformed(stream);
    }
  }
}

}  // namespace searchsync
