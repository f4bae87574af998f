#include "query/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "lib/elastic/json_text.h"
#include "lib/model/json.h"
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

class Planner {
 public:
  explicit Planner(const Rules& rules) : rules_(rules) {}

  Faults faults;

  // The request, if it is an object of `allowed` members. An empty body is an empty object.
  std::optional<Node> parse(std::string_view body,
                            std::initializer_list<std::string_view> allowed) {
    if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) body = "{}";
    auto parsed = body.size() > kBodyBytesMax
                      ? fail(ErrorCode::kLimit, fmt::format("at most {} bytes", kBodyBytesMax))
                      : model::parse_json(body);
    if (!parsed) {
      // The message repeats what was read, which may be anything: only ASCII is sure to be text.
      std::string message = parsed.error().message;
      std::ranges::replace_if(
          message, [](char c) { return static_cast<signed char>(c) < 0; }, '?');
      faults.add("", std::move(message));
      return std::nullopt;
    }
    if (parsed->mapping() == nullptr) {
      faults.add("", "a JSON object");
      return std::nullopt;
    }
    members(*parsed, "", allowed);
    return std::move(*parsed);
  }

  // The engine's query; everything if there is no filter.
  std::string query(const Node& request) {
    const Node* filter = request.find("filter");
    if (filter == nullptr) return R"({"match_all":{}})";
    // In filter context nothing is scored, and the engine may cache.
    return fmt::format(R"({{"bool":{{"filter":[{}]}}}})",
                       translate_filter(*filter, "filter", rules_.catalog, faults));
  }

  // The sort's elements, and in `count` how many there are.
  std::string sort(const Node& request, size_t& count) {
    std::vector<std::string> used;
    std::string elements;
    const auto append = [&](const Field& field, std::string_view order) {
      used.push_back(field.path);
      if (!elements.empty()) elements += ',';
      elements += fmt::format(
          R"({{{}:{{"order":"{}","missing":{}{}}}}})", quoted(field.path), order,
          missing_value(field, order),
          field.nested.empty() ? std::string()
                               : fmt::format(R"(,"nested":{{"path":{}}})", quoted(field.nested)));
    };
    if (const Node* wanted = request.find("sort")) user_sort(*wanted, used, append);
    for (const std::string& path : rules_.tiebreak) {
      const Field* field = rules_.catalog.find(path);
      if (field != nullptr && std::ranges::find(used, path) == used.end()) append(*field, "asc");
    }
    count = used.size();
    return elements;
  }

  int64_t size(const Node& request) {
    const Node* node = request.find("size");
    if (node == nullptr) return std::min(kPageSizeDefault, rules_.page_size_max);
    const auto* size = std::get_if<int64_t>(&node->value);
    if (size != nullptr && *size >= 0 && *size <= rules_.page_size_max) return *size;
    faults.add("size", fmt::format("an integer from 0 to {}", rules_.page_size_max));
    return 0;
  }

  // The values after which the page begins; empty: the first page.
  std::string cursor(const Node& request, const SearchPlan& plan, size_t sort_count) {
    const Node* node = request.find("cursor");
    if (node == nullptr) return {};
    if (!plan.pages) {
      faults.add("cursor",
                 "no cursor: there are no further pages, because the documents do not hold the "
                 "root's key; map it in the root's binding to a keyword or integer field");
      return {};
    }
    const std::string* text = node->string();
    if (text == nullptr) {
      faults.add("cursor", "the cursor of the answer before");
      return {};
    }
    const Cursor decoded = decode_cursor(*text, plan.fingerprint, sort_count);
    if (!decoded.fault) return decoded.values;
    switch (*decoded.fault) {
      case CursorFault::kUnreadable:
        faults.add("cursor", "the cursor of the answer before, unchanged");
        break;
      case CursorFault::kOtherQuery:
        faults.add("cursor",
                   "a cursor of this query; it comes from one with another filter or sort");
        break;
    }
    return {};
  }

  // The engine's aggregations, one a facet.
  std::string facets(const Node& request, std::vector<Facet>& list) {
    const Node* node = request.find("facets");
    if (node == nullptr) return {};
    const Node::Mapping* mapping = node->mapping();
    if (mapping == nullptr || mapping->size() > kFacetsMax) {
      faults.add("facets", fmt::format("an object of at most {} facets", kFacetsMax));
      return {};
    }
    std::string all;
    for (const Node::Entry& entry : *mapping) {
      if (!all.empty()) all += ',';
      all += facet(entry, list);
    }
    return all;
  }

  // What of the documents is returned.
  std::string source(const Node& request) {
    const Node* node = request.find("fields");
    if (node == nullptr) return "true";
    const Node::Sequence* list = node->sequence();
    if (list == nullptr || list->size() > kSourceFieldsMax) {
      faults.add("fields", fmt::format("an array of at most {} fields", kSourceFieldsMax));
      return {};
    }
    for (size_t i = 0; i < list->size(); ++i) {
      const std::string path = fmt::format("fields[{}]", i);
      const Field* field = declared((*list)[i], path);
      if (field != nullptr && field->multi_field) {
        faults.add(path, fmt::format("a field of the document; `{}` exists for searching only",
                                     field->path));
      }
    }
    if (list->empty()) return "false";
    return to_json(*node);
  }

 private:
  void members(const Node& node, std::string_view path,
               std::initializer_list<std::string_view> allowed) {
    for (const Node::Entry& entry : *node.mapping()) {
      if (std::ranges::find(allowed, entry.key) != allowed.end()) continue;
      faults.add(
          fmt::format("{}{}{}", path, path.empty() ? "" : ".", elastic::cut_utf8(entry.key, 32)),
          fmt::format("nothing; only {} belong here", fmt::join(allowed, ", ")));
    }
  }

  const Field* declared(const Node& name, std::string_view path) {
    if (name.string() == nullptr) {
      faults.add(path, "the name of a field");
      return nullptr;
    }
    const Field* field = rules_.catalog.find(*name.string());
    if (field == nullptr) faults.add(path, rules_.catalog.unknown(*name.string()));
    return field;
  }

  // The field that `object` names under "field", if the engine can sort or count by it.
  const Field* by_value(const Node& object, const std::string& path) {
    const Node* name = object.find("field");
    const std::string at = path + ".field";
    const Field* field = declared(name == nullptr ? Node() : *name, at);
    if (field == nullptr || sortable(*field)) return field;
    if (!field->filterable) {
      faults.add(at, fmt::format("a field that queries may use; `{}` is not in "
                                 "spec.query.filterable",
                                 field->path));
    } else {
      faults.add(at,
                 fmt::format("a field with one value to compare; `{}` is of type {}{}", field->path,
                             field->type, field->doc_values ? "" : " without doc_values"));
    }
    return nullptr;
  }

  template <class Append>
  void user_sort(const Node& wanted, const std::vector<std::string>& used, const Append& append) {
    const Node::Sequence* list = wanted.sequence();
    if (list == nullptr || list->size() > kSortMax) {
      faults.add("sort", fmt::format("an array of at most {} sorts", kSortMax));
      return;
    }
    for (size_t i = 0; i < list->size(); ++i) {
      const std::string path = fmt::format("sort[{}]", i);
      const Node& element = (*list)[i];
      if (element.mapping() == nullptr) {
        faults.add(path, "an object with field, order");
        continue;
      }
      members(element, path, {"field", "order"});
      const Field* field = by_value(element, path);
      std::string_view order = "asc";
      if (const Node* node = element.find("order")) {
        if (node->string() != nullptr) order = *node->string();
        if (node->string() == nullptr || (order != "asc" && order != "desc")) {
          faults.add(path + ".order", "\"asc\" or \"desc\"");
          continue;
        }
      }
      if (field == nullptr) continue;
      if (std::ranges::find(used, field->path) != used.end()) {
        faults.add(path + ".field",
                   fmt::format("each field once; `{}` is there already", field->path));
        continue;
      }
      append(*field, order);
    }
  }

  static bool is_facet_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-';
    });
  }

  std::string facet(const Node::Entry& entry, std::vector<Facet>& list) {
    const std::string path = fmt::format("facets.{}", elastic::cut_utf8(entry.key, 64));
    if (!is_facet_name(entry.key)) {
      faults.add(path, "a name of 1 to 64 letters, digits, - and _");
      return {};
    }
    if (entry.value.mapping() == nullptr) {
      faults.add(path, "an object with field, size");
      return {};
    }
    members(entry.value, path, {"field", "size"});
    const Field* field = by_value(entry.value, path);
    int64_t size = kFacetSizeDefault;
    if (const Node* node = entry.value.find("size")) {
      const auto* wanted = std::get_if<int64_t>(&node->value);
      if (wanted == nullptr || *wanted < 1 || *wanted > kFacetSizeMax) {
        faults.add(path + ".size", fmt::format("an integer from 1 to {}", kFacetSizeMax));
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

  const Rules& rules_;
};

}  // namespace

std::expected<SearchPlan, Faults> plan_search(std::string_view body, const Rules& rules) {
  Planner planner(rules);
  const auto request =
      planner.parse(body, {"filter", "sort", "size", "cursor", "facets", "fields"});
  if (!request) return std::unexpected(std::move(planner.faults));
  SearchPlan plan;
  plan.pages = !rules.tiebreak.empty();
  const std::string query = planner.query(*request);
  size_t sort_count = 0;
  const std::string sort = planner.sort(*request, sort_count);
  plan.fingerprint = query + sort;
  plan.size = static_cast<size_t>(planner.size(*request));
  const std::string after = planner.cursor(*request, plan, sort_count);
  const std::string facets = planner.facets(*request, plan.facets);
  const std::string source = planner.source(*request);
  if (!planner.faults.empty()) return std::unexpected(std::move(planner.faults));

  plan.body = fmt::format(R"({{"size":{},"timeout":"{}ms","_source":{},"query":{})", plan.size,
                          rules.timeout.count(), source, query);
  if (!sort.empty()) plan.body += fmt::format(R"(,"sort":[{}])", sort);
  if (!after.empty() && plan.size > 0) plan.body += fmt::format(R"(,"search_after":{})", after);
  if (!facets.empty()) plan.body += fmt::format(R"(,"aggs":{{{}}})", facets);
  plan.body += '}';
  return plan;
}

std::expected<std::string, Faults> plan_count(std::string_view body, const Rules& rules) {
  Planner planner(rules);
  const auto request = planner.parse(body, {"filter"});
  if (!request) return std::unexpected(std::move(planner.faults));
  const std::string query = planner.query(*request);
  if (!planner.faults.empty()) return std::unexpected(std::move(planner.faults));
  return fmt::format(R"({{"size":0,"track_total_hits":true,"timeout":"{}ms","query":{}}})",
                     rules.timeout.count(), query);
}

}  // namespace searchsync::query
