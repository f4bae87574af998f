#include "lib/postgres/lsn.h"

#include <fmt/core.h>

#include <charconv>

namespace searchsync::postgres {

std::string to_string(Lsn lsn) {
  return fmt::format("{:X}/{:X}", lsn.get() >> 32, lsn.get() & 0xFFFFFFFFu);
}

Result<Lsn> parse_lsn(std::string_view text) {
  const size_t slash = text.find('/');
  uint32_t high = 0;
  uint32_t low = 0;
  const auto parse = [](std::string_view part, uint32_t& value) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value, 16);
    return error == std::errc{} && end == part.data() + part.size();
  };
  if (slash == std::string_view::npos || !parse(text.substr(0, slash), high) ||
      !parse(text.substr(slash + 1), low)) {
    return fail(ErrorCode::kMalformed,
                fmt::format("\"{}\" is no WAL position of the form 16/B374D848", text));
  }
  return Lsn((uint64_t{high} << 32) | low);
}

}  // namespace searchsync::postgres
