#include "query/request.h"

#include <fmt/format.h>

#include "lib/elastic/json_text.h"
#include "query/planner.h"

namespace searchsync::query {

SearchPlan plan_search(const Ask& ask, const Rules& rules, Faults& faults) {
  Planner planner(ask, rules, faults);
  SearchPlan plan;
  plan.pages = !rules.tiebreak.empty();
  const std::string query = planner.query();
  const Planner::Sort sort = planner.sort();
  plan.related = planner.related();
  plan.fingerprint = rules.subject + '\0' + query + sort.elements;
  for (const RelatedQuery& one : plan.related) {
    plan.fingerprint += '\0' + one.name + '\0' + one.query;
  }
  plan.size = static_cast<size_t>(planner.size());
  const std::string after = planner.cursor(plan, sort.count);
  const std::string facets = planner.facets(plan.facets);
  const std::string source = planner.source();
  plan.partial = planner.partial();

  plan.body = fmt::format(R"({{"size":{},"_source":{},"query":{})", plan.size, source, query);
  if (sort.counts_all) plan.body += R"(,"track_total_hits":true)";
  if (!sort.elements.empty()) plan.body += fmt::format(R"(,"sort":[{}])", sort.elements);
  if (!after.empty() && plan.size > 0) plan.body += fmt::format(R"(,"search_after":{})", after);
  if (!facets.empty()) plan.body += fmt::format(R"(,"aggs":{{{}}})", facets);
  plan.body += '}';
  return plan;
}

std::expected<SearchPlan, Faults> plan_search(std::string_view body, const Rules& rules) {
  Faults faults;
  const auto ask = read_body(
      body, {"filter", "sort", "size", "cursor", "facets", "fields", "allowPartial"}, faults);
  if (!ask) return std::unexpected(std::move(faults));
  SearchPlan plan = plan_search(*ask, rules, faults);
  if (!faults.empty()) return std::unexpected(std::move(faults));
  return plan;
}

std::string document_query(std::string_view id, const Rules& rules) {
  std::string name;
  elastic::append_quoted(name, id);
  return fmt::format(R"({{"size":1,"track_total_hits":false,"_source":{},)"
                     R"("query":{{"bool":{{"filter":[{{"ids":{{"values":[{}]}}}}{}{}]}}}}}})",
                     visible_source(rules), name, rules.fixed.empty() ? "" : ",", rules.fixed);
}

SearchPlan plan_count(const Ask& ask, const Rules& rules, Faults& faults) {
  Planner planner(ask, rules, faults);
  const std::string query = planner.query();
  return {.body = fmt::format(R"({{"size":0,"track_total_hits":true,"query":{}}})", query),
          .pages = false,
          .partial = planner.partial(),
          .related = planner.related()};
}

std::expected<SearchPlan, Faults> plan_count(std::string_view body, const Rules& rules) {
  Faults faults;
  const auto ask = read_body(body, {"filter", "allowPartial"}, faults);
  if (!ask) return std::unexpected(std::move(faults));
  SearchPlan plan = plan_count(*ask, rules, faults);
  if (!faults.empty()) return std::unexpected(std::move(faults));
  return plan;
}

}  // namespace searchsync::query
