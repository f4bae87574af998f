#pragma once

// Dead letters as people and programs read them. Pure.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "operator/dlq/kept_letter.h"

namespace searchsync::dlq {

struct Listing {
  int64_t total = 0;  // that match, of which `letters` may be the newest only
  std::map<std::string, int64_t, std::less<>> by_binding;  // "": of whole documents
  std::vector<KeptLetter> letters;                         // newest first
};

// One line each, and how many there are.
std::string to_table(const Listing& listing);
// {"total", "byBinding", "letters"}, without what was refused.
std::string to_json(const Listing& listing);

// All of it: what was refused as indented JSON if it is that, else escaped.
std::string to_text(const KeptLetter& letter);
// What was refused is "keyText" and "valueText", or "keyBase64" and "valueBase64" where it is no
// UTF-8; neither where there is none.
std::string to_json(const KeptLetter& letter);

}  // namespace searchsync::dlq
