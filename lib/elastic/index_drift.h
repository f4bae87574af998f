#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/elastic/admin.h"

namespace searchsync::elastic {

inline constexpr size_t kDriftPhrasesMax = 8;

// What an index was before it was what it is compared with.
enum class Before {
  kNothing,  // it was made so
  kOthers,   // made of others, which may have left fields and settings in it: they do not count
};

// What differs in an index from what it was made of, as far as it cannot be set back in place: a
// short phrase each, in order, at most kDriftPhrasesMax: "field a.b is not declared", "dynamic is
// true, not strict". Without the settings that we change ourselves.
//
// body: of index_body. Engines leave defaults out, add what follows from others, and write values
// in a form of their own. So a parameter or setting counts only where both have it, and a field
// that is not declared only where no document can have brought it (`dynamic`). What is set back to
// the engine's default goes unnoticed.
//
// Nothing if either is not JSON.
std::vector<std::string> index_drift(std::string_view body, const IndexState& found,
                                     Before before = Before::kNothing);

}  // namespace searchsync::elastic
