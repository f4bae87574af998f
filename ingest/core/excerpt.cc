#include "ingest/core/excerpt.h"

#include <simdjson.h>

#include <algorithm>

#include "lib/base/utf8.h"

namespace searchsync::ingest {

std::string_view excerpt(std::string_view text) {
  constexpr size_t kBytes = 100;
  return cut_utf8(text, kBytes);
}

std::string printable_excerpt(std::string_view bytes) {
  std::string text(excerpt(bytes));
  if (simdjson::validate_utf8(text.data(), text.size())) return text;
  std::ranges::replace_if(
      text, [](char c) { return static_cast<signed char>(c) < 0; }, '?');
  return text;
}

}  // namespace searchsync::ingest
