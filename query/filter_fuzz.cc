// Whatever people send: a plan, or faults that can be rendered; never a crash.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/model/json.h"
#include "query/request.h"
#include "query/test_mappings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace searchsync;
  static const query::FieldCatalog catalog =
      query::FieldCatalog::create(query::test_mappings(), {}).value();
  static const query::Rules rules{.catalog = catalog, .tiebreak = {"id"}};
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto plan = query::plan_search(body, rules);
  if (plan) {
    CHECK(model::parse_json(plan->body).has_value(), "{}", plan->body);
  } else {
    CHECK(!plan.error().empty());
    CHECK(model::parse_json(query::render(plan.error())).has_value());
  }
  return 0;
}
