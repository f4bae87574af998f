#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/node.h"
#include "query/faults.h"

namespace searchsync::query {

inline constexpr size_t kBodyBytesMax = 256 * 1024;

// Of members of an object, or of parameters.
using Names = std::vector<std::string_view>;

// A filter, and the path that its faults begin with.
struct Clause {
  std::string path;
  model::Node filter;
};

// What is asked, in whatever form it came: as a JSON body, or as parameters of a URL.
struct Ask {
  std::vector<Clause> filters;  // a document must fit all of them
  model::Node rest{.value = model::Node::Mapping(), .position = {}};  // all but the filter

  // A member of `rest`, or null.
  const model::Node* find(std::string_view name) const { return rest.find(name); }
  // Sets a member of `rest`, which must not be there.
  void set(std::string name, model::Node value);
};

// The body of a request. Empty, it is an empty object.
// members: those that may be there; of "filter" the Ask has a clause.
// Nothing, and a fault, if it is no object at all.
std::optional<Ask> read_body(std::string_view body, const Names& members, Faults& faults);

// Adds a fault for each member of `object`, a mapping at `path`, that is not in `allowed`.
void check_members(const model::Node& object, std::string_view path, const Names& allowed,
                   Faults& faults);

}  // namespace searchsync::query
