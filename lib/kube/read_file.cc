#include "lib/kube/read_file.h"

#include <fmt/format.h>

#include "lib/base/bounded_file.h"

namespace searchsync::kube {
namespace {

constexpr size_t kBytesMax = 1 << 20;

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) {
    return fail(ErrorCode::kNotFound, fmt::format("{} is not there, or is no file", path.string()));
  }
  return read_bounded_file(path, kBytesMax);
}

}  // namespace searchsync::kube
