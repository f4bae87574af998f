// Whatever people send, as a body or as parameters: a plan, or faults that can be rendered; never a
// crash.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/model/json.h"
#include "query/export.h"
#include "query/parameters.h"
#include "query/request.h"
#include "query/screeners.h"
#include "query/test_mappings.h"

namespace {

using namespace searchsync;

const query::Rules& rules() {
  static const query::Rules made = [] {
    const auto catalog = query::FieldCatalog::create(query::test_mappings(), {}).value();
    return query::Rules{
        .catalog = catalog,
        .tiebreak = {"id"},
        .relations = {
            {.name = "self", .index = "runs", .from = "id", .to = "id", .catalog = catalog}}};
  }();
  return made;
}

// A body with markers is JSON once they are filled in.
void check_plan(const query::SearchPlan& plan, const query::Faults& faults) {
  CHECK(model::parse_json(query::render(faults)).has_value());
  if (!faults.empty()) return;
  const std::vector<std::string> filled(plan.related.size(), "{}");
  const std::string body = query::fill_markers(plan.body, filled);
  CHECK(model::parse_json(body).has_value(), "{}", body);
  for (const auto& related : plan.related) {
    CHECK(model::parse_json(query::related_body(related, 10)).has_value(), "{}", related.query);
  }
}

query::Parameters split(std::string_view text) {
  query::Parameters parameters;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view one = text.substr(0, end);
    const size_t equals = std::min(one.find('='), one.size());
    parameters.emplace_back(one.substr(0, equals), one.substr(std::min(equals + 1, one.size())));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::ranges::stable_sort(parameters, {}, &query::Parameters::value_type::first);
  return parameters;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  query::Faults faults;
  if (const auto ask =
          query::read_body(text, {"filter", "sort", "size", "facets", "fields"}, faults)) {
    check_plan(query::plan_search(*ask, rules(), faults), faults);
  }
  query::Faults others;
  query::Ask ask = query::read_parameters(split(text), rules().catalog,
                                          {"size", "cursor", "sort", "fields"}, others);
  check_plan(query::plan_search(ask, rules(), others), others);
  // The filter of a screener is a body, too.
  query::Faults wrong;
  if (const auto body = query::read_body(text, {"filter"}, wrong)) {
    query::Screener screener{.name = "a", .ask = *body};
    check_plan({}, query::check_screener(screener, rules()));
  }
  return 0;
}
