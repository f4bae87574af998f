#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/named.h"

namespace searchsync::model {

// Whose duty it is to send on what follows from the records of a partition of the document log. Who
// folds it says so with each commit, as of that place or a later one.
struct Leadership {
  static constexpr size_t kBeforeMax = 8;

  Generation own;                  // of who says it
  Generation leader;               // from `since` on
  Offset since{-1};                // of the record that gave it the lead; -1: nobody else ever led
  std::vector<Generation> before;  // who led until then, the newest last; the last kBeforeMax
  friend bool operator==(const Leadership&, const Leadership&) = default;

  // A record at `at` gives the lead to `next`.
  void pass(Generation next, Offset at);
};

// "1 <own> <leader> <since> <before>…", as decimal numbers.
std::string to_note(const Leadership& leadership);
// Nothing: it is none, or of a newer version of us.
std::optional<Leadership> parse_note(std::string_view note);

}  // namespace searchsync::model
