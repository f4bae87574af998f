#include "query/export.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/elastic/json_text.h"
#include "query/planner.h"

namespace searchsync::query {
namespace {

// What of the documents fills a line if nothing is said: every field that holds a value by itself,
// and arrays of objects as a whole.
std::vector<std::string> all_columns(const FieldCatalog& catalog) {
  std::vector<std::string> columns;
  for (const auto& [path, field] : catalog.fields()) {
    if (field.multi_field || !field.allowed) continue;
    const bool elsewhere = std::ranges::any_of(catalog.fields(), [&](const auto& other) {
      const auto& [name, one] = other;
      const bool within_array =
          one.kind == FieldKind::kNested && one.allowed && path.starts_with(name + ".");
      const bool holds_it =
          field.kind == FieldKind::kObject && name.starts_with(path + ".") && !one.multi_field;
      return within_array || holds_it;
    });
    if (!elsewhere) columns.push_back(path);
  }
  return columns;
}

std::vector<std::string> named_columns(const model::Node& fields) {
  std::vector<std::string> columns;
  for (const model::Node& field : *fields.sequence()) {
    if (std::ranges::find(columns, *field.string()) == columns.end()) {
      columns.push_back(*field.string());
    }
  }
  return columns;
}

}  // namespace

ExportPlan plan_export(const Ask& ask, const Rules& rules, Faults& faults) {
  ExportPlan plan;
  Planner planner(ask, rules, faults);
  plan.query = planner.query();
  plan.related = planner.related();
  plan.sort = planner.sort();
  plan.source = planner.source();
  if (rules.tiebreak.empty()) {
    faults.add("",
               "an index whose documents hold the root's key: without it they cannot be read page "
               "by page; map it in the root's binding to a keyword or integer field");
  }
  if (const model::Node* limit = ask.find("limit")) {
    const auto* number = std::get_if<int64_t>(&limit->value);
    if (number == nullptr || *number < 1) faults.add("limit", "an integer of at least 1");
    if (number != nullptr) plan.limit = *number;
  }
  if (const model::Node* format = ask.find("format")) {
    const std::string* name = format->string();
    if (name == nullptr || (*name != "ndjson" && *name != "csv")) {
      faults.add("format", "\"ndjson\" or \"csv\"");
    } else if (*name == "csv") {
      plan.format = ExportFormat::kCsv;
    }
  }
  if (plan.format == ExportFormat::kCsv && faults.empty()) {
    const model::Node* fields = ask.find("fields");
    plan.columns = fields == nullptr ? all_columns(rules.catalog) : named_columns(*fields);
  }
  return plan;
}

std::string export_page_body(const ExportPlan& plan, std::string_view point_in_time,
                             std::string_view keep_alive, size_t size, std::string_view after) {
  std::string body = fmt::format(
      R"({{"size":{},"track_total_hits":{},"_source":{},"query":{},"sort":[{}],"pit":{{"id":)",
      size, plan.sort.counts_all, plan.source, plan.query, plan.sort.elements);
  elastic::append_quoted(body, point_in_time);
  body += fmt::format(R"(,"keep_alive":"{}"}})", keep_alive);
  if (!after.empty()) body += fmt::format(R"(,"search_after":{})", after);
  return body + '}';
}

bool NdjsonWriter::row(std::string_view id, std::string_view source, std::string& out) {
  const size_t begin = out.size();
  out += "{\"id\":";
  out += id;
  if (!source.empty()) {
    out += ",\"source\":";
    out += source;
  }
  // Between values a document may hold line ends; within them JSON has them escaped.
  std::ranges::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
      [](char c) { return c == '\n' || c == '\r'; }, ' ');
  out += "}\n";
  return true;
}

}  // namespace searchsync::query
