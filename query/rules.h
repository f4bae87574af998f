#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "query/fields.h"

namespace searchsync::query {

// A way to the documents of another index, as one caller may go it.
struct Relation {
  std::string name;
  std::string index;     // the alias of the other
  std::string from;      // a field of this index
  std::string to;        // a field of the other
  FieldCatalog catalog;  // of the other
  std::string fixed;     // a query of the engine's that its documents must fit; empty: none
  std::string problem;   // why nobody can go it; empty: it can be gone
};

// What one caller may ask of the index: the same for all its requests. Constant once made.
struct Rules {
  FieldCatalog catalog;
  std::vector<std::string> tiebreak;  // of tiebreak_fields
  int64_t page_size_max = 1000;
  bool mixed = false;                // of the indices that are asked one may be without a field
  std::string subject;               // who it is: a cursor is for nobody else
  std::string fixed;                 // an engine's query that all documents must fit; empty: none
  std::vector<std::string> visible;  // of documents; empty: all
  bool limited = false;              // who asks must not learn what else there is
  std::string
      absent;  // a JSON object: the document of an id that has none; empty: that is an error
  std::vector<Relation> relations;
  int64_t related_keys_max = 10'000;
  std::optional<std::vector<std::string>> commands;  // that it may call; none: all

  bool may_call(const std::string& command) const {
    return !commands || std::ranges::find(*commands, command) != commands->end();
  }
  // Whether documents are only a part of what they are, or of those that there are.
  bool restricted() const { return !fixed.empty() || !visible.empty(); }
};

}  // namespace searchsync::query
