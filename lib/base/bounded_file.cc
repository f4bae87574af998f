#include "lib/base/bounded_file.h"

#include <fmt/format.h>

#include <fstream>

namespace searchsync {

Result<std::string> read_bounded_file(const std::filesystem::path& path, size_t bytes_max) {
  std::ifstream stream(path, std::ios::binary);
  std::string text(bytes_max + 1, '\0');
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad()) {
    return fail(ErrorCode::kPermission,
                fmt::format("{} cannot be read: check its permissions", path.string()));
  }
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > bytes_max) {
    return fail(ErrorCode::kLimit, fmt::format("{} has more than {} bytes, the most it may",
                                               path.string(), bytes_max));
  }
  return text;
}

}  // namespace searchsync
