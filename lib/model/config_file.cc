#include "lib/model/config_file.h"

#include "lib/base/bounded_file.h"
#include "lib/base/gzip.h"

namespace searchsync::model {
namespace {

constexpr size_t kBytesMax = size_t{64} << 20;

}  // namespace

Result<std::string> read_config_file(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(std::string text, read_bounded_file(path, kBytesMax));
  if (!is_gzip(text)) return text;
  auto plain = gunzip(text, kBytesMax);
  if (!plain) return fail(plain.error(), path.string());
  return plain;
}

}  // namespace searchsync::model
