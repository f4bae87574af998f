#include "query/planner.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/utf8.h"
#include "lib/elastic/json_text.h"
#include "query/cursor.h"
#include "query/filter.h"

namespace searchsync::query {
namespace {

using model::Node;

std::string quoted(std::string_view text) {
  std::string json;
  elastic::append_quoted(json, text);
  return json;
}

// Where documents without the field go: last, in either order. For times that is written as the
// value that "_last" stands for: with "_last" both engines leave out a shard that has no value of
// the field at all as soon as another shard has filled the page, ties included, and documents
// vanish between pages (seen on OpenSearch 2.19 and Elasticsearch 8.16). A time in nanoseconds
// cannot be before 1970.
std::string_view missing_value(const Field& field, std::string_view order) {
  if (field.kind != FieldKind::kDate) return "\"_last\"";
  if (order == "asc") return "9223372036854775807";
  return field.type == "date_nanos" ? "0" : "-9223372036854775808";
}

// What an index that does not have the field sorts it as: of its name alone, so what needs more is
// said by what it sorts like.
std::string_view unmapped_type(const Field& field) {
  if (field.type == "scaled_float") return "double";
  if (field.type == "constant_keyword") return "keyword";
  return field.type;
}

std::string quoted_list(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ",") + quoted(text);
  return "[" + list + "]";
}

bool is_facet_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

}  // namespace

std::string Planner::query() {
  std::string all = rules_.fixed;
  for (const Clause& clause : ask_.filters) {
    if (!all.empty()) all += ',';
    all += translate_filter(clause.filter, clause.path, rules_, related_, faults_);
  }
  if (all.empty()) return R"({"match_all":{}})";
  // In filter context nothing is scored, and the engine may cache.
  return fmt::format(R"({{"bool":{{"filter":[{}]}}}})", all);
}

Planner::Sort Planner::sort() {
  std::vector<std::string> used;
  Sort sort;
  const auto append = [&](const Field& field, std::string_view order) {
    used.push_back(field.path);
    // What comes first decides which documents can be skipped.
    if (sort.elements.empty()) {
      sort.counts_all = !field.nested.empty();
    } else {
      sort.elements += ',';
    }
    sort.elements += fmt::format(
        R"({{{}:{{"order":"{}","missing":{}{}{}}}}})", quoted(field.path), order,
        missing_value(field, order),
        rules_.mixed ? fmt::format(R"(,"unmapped_type":"{}")", unmapped_type(field))
                     : std::string(),
        field.nested.empty() ? std::string()
                             : fmt::format(R"(,"nested":{{"path":{}}})", quoted(field.nested)));
  };
  if (const Node* wanted = ask_.find("sort")) user_sort(*wanted, used, append);
  for (const std::string& path : rules_.tiebreak) {
    const Field* field = rules_.catalog.find_declared(path);
    if (field != nullptr && std::ranges::find(used, path) == used.end()) append(*field, "asc");
  }
  sort.count = used.size();
  return sort;
}

int64_t Planner::size() {
  const Node* node = ask_.find("size");
  if (node == nullptr) return std::min(kPageSizeDefault, rules_.page_size_max);
  const auto* size = std::get_if<int64_t>(&node->value);
  if (size != nullptr && *size >= 0 && *size <= rules_.page_size_max) return *size;
  faults_.add("size", fmt::format("an integer from 0 to {}", rules_.page_size_max));
  return 0;
}

std::string Planner::cursor(const SearchPlan& plan, size_t sort_count) {
  const Node* node = ask_.find("cursor");
  if (node == nullptr) return {};
  if (!plan.pages) {
    faults_.add("cursor",
                "no cursor: there are no further pages, because the documents do not hold the "
                "root's key; map it in the root's binding to a keyword or integer field");
    return {};
  }
  const std::string* text = node->string();
  if (text == nullptr) {
    faults_.add("cursor", "the cursor of the answer before");
    return {};
  }
  const Cursor decoded = decode_cursor(*text, plan.fingerprint, sort_count);
  if (!decoded.fault) return decoded.values;
  switch (*decoded.fault) {
    case CursorFault::kUnreadable:
      faults_.add("cursor", "the cursor of the answer before, unchanged");
      break;
    case CursorFault::kOtherQuery:
      faults_.add("cursor",
                  "a cursor of this query; it comes from one with another filter or sort");
      break;
  }
  return {};
}

std::string Planner::facets(std::vector<Facet>& list) {
  const Node* node = ask_.find("facets");
  if (node == nullptr) return {};
  const Node::Mapping* mapping = node->mapping();
  if (mapping == nullptr || mapping->size() > kFacetsMax) {
    faults_.add("facets", fmt::format("an object of at most {} facets", kFacetsMax));
    return {};
  }
  std::string all;
  for (const Node::Entry& entry : *mapping) {
    if (!all.empty()) all += ',';
    all += facet(entry, list);
  }
  return all;
}

std::string visible_source(const Rules& rules) {
  return rules.visible.empty() ? "true" : quoted_list(rules.visible);
}

Partial Planner::partial() {
  const Node* node = ask_.find("allowPartial");
  if (node == nullptr) return Partial::kRefused;
  const bool* allowed = std::get_if<bool>(&node->value);
  if (allowed == nullptr) faults_.add("allowPartial", "true or false");
  return allowed != nullptr && *allowed ? Partial::kAllowed : Partial::kRefused;
}

std::string Planner::source() {
  const Node* node = ask_.find("fields");
  if (node == nullptr) return visible_source(rules_);
  const Node::Sequence* list = node->sequence();
  if (list == nullptr || list->size() > kSourceFieldsMax) {
    faults_.add("fields", fmt::format("an array of at most {} fields", kSourceFieldsMax));
    return {};
  }
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string path = fmt::format("fields[{}]", i);
    const Field* field = declared((*list)[i], path);
    if (field != nullptr && field->multi_field) {
      faults_.add(path, fmt::format("a field of the document; `{}` exists for searching only",
                                    field->path));
    }
  }
  if (list->empty()) return "false";
  return to_json(*node);
}

const Field* Planner::declared(const Node& name, std::string_view path) {
  if (name.string() == nullptr) {
    faults_.add(path, "the name of a field");
    return nullptr;
  }
  const Field* field = rules_.catalog.find(*name.string());
  if (field == nullptr) faults_.add(path, rules_.catalog.unknown(*name.string()));
  return field;
}

const Field* Planner::by_value(const Node& object, const std::string& path) {
  const Node* name = object.find("field");
  const std::string at = path + ".field";
  const Field* field = declared(name == nullptr ? Node() : *name, at);
  if (field == nullptr || sortable(*field)) return field;
  if (!field->filterable) {
    faults_.add(at, fmt::format("a field that queries may use; `{}` is not in "
                                "spec.query.filterable",
                                field->path));
  } else {
    faults_.add(at,
                fmt::format("a field with one value to compare; `{}` is of type {}{}", field->path,
                            field->type, field->doc_values ? "" : " without doc_values"));
  }
  return nullptr;
}

void Planner::user_sort(const Node& wanted, const std::vector<std::string>& used,
                        FunctionRef<void(const Field&, std::string_view)> append) {
  const Node::Sequence* list = wanted.sequence();
  if (list == nullptr || list->size() > kSortMax) {
    faults_.add("sort", fmt::format("an array of at most {} sorts", kSortMax));
    return;
  }
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string path = fmt::format("sort[{}]", i);
    const Node& element = (*list)[i];
    if (element.mapping() == nullptr) {
      faults_.add(path, "an object with field, order");
      continue;
    }
    check_members(element, path, {"field", "order"}, faults_);
    const Field* field = by_value(element, path);
    std::string_view order = "asc";
    if (const Node* node = element.find("order")) {
      if (node->string() != nullptr) order = *node->string();
      if (node->string() == nullptr || (order != "asc" && order != "desc")) {
        faults_.add(path + ".order", "\"asc\" or \"desc\"");
        continue;
      }
    }
    if (field == nullptr) continue;
    if (std::ranges::find(used, field->path) != used.end()) {
      faults_.add(path + ".field",
                  fmt::format("each field once; `{}` is there already", field->path));
      continue;
    }
    append(*field, order);
  }
}

std::string Planner::facet(const Node::Entry& entry, std::vector<Facet>& list) {
  const std::string path = fmt::format("facets.{}", cut_utf8(entry.key, 64));
  if (!is_facet_name(entry.key)) {
    faults_.add(path, "a name of 1 to 64 letters, digits, - and _");
    return {};
  }
  if (entry.value.mapping() == nullptr) {
    faults_.add(path, "an object with field, size");
    return {};
  }
  check_members(entry.value, path, {"field", "size"}, faults_);
  const Field* field = by_value(entry.value, path);
  int64_t size = kFacetSizeDefault;
  if (const Node* node = entry.value.find("size")) {
    const auto* wanted = std::get_if<int64_t>(&node->value);
    if (wanted == nullptr || *wanted < 1 || *wanted > kFacetSizeMax) {
      faults_.add(path + ".size", fmt::format("an integer from 1 to {}", kFacetSizeMax));
      return {};
    }
    size = *wanted;
  }
  if (field == nullptr) return {};
  const bool nested = !field->nested.empty();
  list.push_back(
      {.name = entry.key, .nested = nested, .boolean = field->kind == FieldKind::kBoolean});
  if (!nested) {
    return fmt::format(R"("{}":{{"terms":{{"field":{},"size":{}}}}})", entry.key,
                       quoted(field->path), size);
  }
  // Elements are what the engine counts here; reverse_nested goes back to their documents.
  return fmt::format(
      R"("{}":{{"nested":{{"path":{}}},"aggs":{{"values":{{"terms":{{"field":{},"size":{},)"
      R"("order":{{"documents":"desc"}}}},)"
      R"("aggs":{{"documents":{{"reverse_nested":{{}}}}}}}}}}}})",
      entry.key, quoted(field->nested), quoted(field->path), size);
}

}  // namespace searchsync::query
