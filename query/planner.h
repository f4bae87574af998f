#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/function_ref.h"
#include "query/ask.h"
#include "query/related.h"
#include "query/request.h"
#include "query/rules.h"

namespace searchsync::query {

// What of documents is returned if nothing is said.
std::string visible_source(const Rules& rules);

// Checks the parts of what is asked, and translates each into what the engines take. What is
// returned has no meaning when faults were added.
class Planner {
 public:
  // All must outlive this.
  Planner(const Ask& ask, const Rules& rules, Faults& faults)
      : ask_(ask), rules_(rules), faults_(faults) {}

  // The engine's query; everything if there is no filter. It has markers of related().
  std::string query();
  std::vector<RelatedQuery> related() { return std::move(related_); }
  struct Sort {
    std::string elements;
    size_t count = 0;  // of elements
    // The engine has to count all that is found. Where it may skip documents instead, OpenSearch
    // fails to sort by a number of a nested object.
    // Source: AbstractNumericDocValues.advance(), OpenSearch 2.19.1.
    bool counts_all = false;
  };
  Sort sort();
  int64_t size();
  // The values after which the page begins; empty: the first page.
  std::string cursor(const SearchPlan& plan, size_t sort_count);
  // The engine's aggregations, one a facet.
  std::string facets(std::vector<Facet>& list);
  Partial partial();
  // What of the documents is returned.
  std::string source();

 private:
  const Field* declared(const model::Node& name, std::string_view path);
  // The field that `object` names under "field", if the engine can sort or count by it.
  const Field* by_value(const model::Node& object, const std::string& path);
  void user_sort(const model::Node& wanted, const std::vector<std::string>& used,
                 FunctionRef<void(const Field&, std::string_view)> append);
  std::string facet(const model::Node::Entry& entry, std::vector<Facet>& list);

  const Ask& ask_;
  const Rules& rules_;
  Faults& faults_;
  std::vector<RelatedQuery> related_;
};

}  // namespace searchsync::query
