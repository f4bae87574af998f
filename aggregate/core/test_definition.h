#pragma once

// Definitions for tests.

#include "aggregate/core/definition.h"

namespace searchsync::aggregate {

inline std::vector<model::ColumnCondition> is(const char* column, const char* text) {
  return {{column, {text}}};
}

// Of the domains: delivered and bounced events counted, and what that says of a domain.
inline model::AggregateSpec domains_spec() {
  model::AggregateSpec spec;
  spec.columns = {{.name = "delivered", .where = is("type", "delivered")},
                  {.name = "bounced", .where = is("type", "bounced")}};
  spec.derived = {
      {.name = "status",
       .rules = {{.when = {{"bounced", 1, {}}}, .value = "not-catch-all", .sticks = true},
                 {.when = {{"delivered", 3, {}}, {"bounced", {}, 0}}, .value = "catch-all"}},
       .otherwise = "unknown"}};
  return spec;
}

}  // namespace searchsync::aggregate
