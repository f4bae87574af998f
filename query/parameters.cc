#include "query/parameters.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

#include "lib/base/utf8.h"
#include "lib/model/json.h"

namespace searchsync::query {
namespace {

using model::Node;

constexpr std::array<std::string_view, 8> kOperators = {"not", "gte",    "gt",   "lte",
                                                        "lt",  "prefix", "text", "exists"};

Node text_node(std::string_view text) {
  return {.value = std::string(text), .position = {}};
}

Node object(std::initializer_list<std::pair<std::string_view, Node>> members) {
  Node::Mapping mapping;
  for (const auto& [key, value] : members) mapping.push_back({std::string(key), {}, value});
  return {.value = std::move(mapping), .position = {}};
}

Node list(std::vector<Node> items) {
  return {.value = std::move(items), .position = {}};
}

bool is_number(const Node& node) {
  return std::holds_alternative<int64_t>(node.value) ||
         std::holds_alternative<Node::Decimal>(node.value);
}

// A number, if that is what the text is.
Node number_node(std::string_view text) {
  auto parsed = model::parse_json(text);
  return parsed && is_number(*parsed) ? std::move(*parsed) : text_node(text);
}

Node boolean_node(std::string_view text) {
  if (text != "true" && text != "false") return text_node(text);
  return {.value = text == "true", .position = {}};
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

Node sort_node(std::string_view text) {
  std::vector<Node> sorts;
  for (std::string_view name : split(text)) {
    const bool down = name.starts_with('-');
    if (down) name.remove_prefix(1);
    sorts.push_back(
        object({{"field", text_node(name)}, {"order", text_node(down ? "desc" : "asc")}}));
  }
  return list(std::move(sorts));
}

Node control_node(std::string_view name, std::string_view text) {
  if (name == "size" || name == "limit") return number_node(text);
  if (name == "freshness" || name == "allowPartial") return boolean_node(text);
  if (name == "sort") return sort_node(text);
  if (name == "fields") {
    std::vector<Node> names;
    for (const std::string_view field : split(text)) names.push_back(text_node(field));
    return list(std::move(names));
  }
  return text_node(text);
}

// What a parameter asks of which field.
struct Asked {
  const Field* field = nullptr;
  std::string_view operation;  // of kOperators; empty: equals
};

Asked asked_by(std::string_view name, const FieldCatalog& catalog) {
  if (const Field* field = catalog.find(name)) return {.field = field};
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  const auto* const found = std::ranges::find(kOperators, name.substr(dot + 1));
  if (found == kOperators.end()) return {};
  return {.field = catalog.find(name.substr(0, dot)), .operation = *found};
}

// filter: an object with one operator.
Node negated(Node filter) {
  return object({{"not", std::move(filter)}});
}

class Reader {
 public:
  Reader(const FieldCatalog& catalog, Faults& faults) : catalog_(catalog), faults_(faults) {}

  Ask ask;

  // values: all of one name.
  void control(std::string_view name, const std::vector<std::string_view>& values) {
    if (values.size() > 1) faults_.add(std::string(name), "this parameter once");
    ask.set(std::string(name), control_node(name, values.front()));
  }

  void filter(std::string_view name, const std::vector<std::string_view>& values) {
    const Asked asked = asked_by(name, catalog_);
    const std::string shown(cut_utf8(name, 100));
    if (asked.field == nullptr) {
      faults_.add(shown,
                  fmt::format("a parameter of this path, or a field, which .{} may follow; {}",
                              fmt::join(kOperators, ", ."), catalog_.unknown(name)));
      return;
    }
    Node filter;
    if (asked.operation.empty() || asked.operation == "not") {
      filter = equals(*asked.field, values);
      if (!asked.operation.empty()) filter = negated(std::move(filter));
    } else if (values.size() > 1) {
      faults_.add(shown, "this parameter once");
      return;
    } else {
      filter = single(*asked.field, asked.operation, values.front(), shown);
    }
    ask.filters.push_back({shown, std::move(filter)});
  }

 private:
  static Node equals(const Field& field, const std::vector<std::string_view>& values) {
    const Node name = text_node(field.path);
    if (values.size() == 1) {
      return object(
          {{"equals", object({{"field", name}, {"value", read_value(field, values.front())}})}});
    }
    std::vector<Node> all;
    for (const std::string_view value : values) all.push_back(read_value(field, value));
    return object({{"in", object({{"field", name}, {"values", list(std::move(all))}})}});
  }

  Node single(const Field& field, std::string_view operation, std::string_view value,
              const std::string& shown) {
    const Node name = text_node(field.path);
    if (operation == "exists") {
      if (value != "true" && value != "false") faults_.add(shown, "true or false");
      Node filter = object({{"exists", object({{"field", name}})}});
      return value == "false" ? negated(std::move(filter)) : filter;
    }
    if (operation == "prefix") {
      return object({{"prefix", object({{"field", name}, {"value", text_node(value)}})}});
    }
    if (operation == "text") {
      return object({{"text", object({{"field", name}, {"query", text_node(value)}})}});
    }
    return object({{"range", object({{"field", name}, {operation, read_value(field, value)}})}});
  }

  const FieldCatalog& catalog_;
  Faults& faults_;
};

}  // namespace

Node read_value(const Field& field, std::string_view text) {
  switch (field.kind) {
    case FieldKind::kInteger:
    case FieldKind::kFloating:
      return number_node(text);
    case FieldKind::kBoolean:
      return boolean_node(text);
    case FieldKind::kDate: {
      // Milliseconds since 1970, which have more digits than a year.
      constexpr size_t kYearDigitsMax = 4;
      return text.size() > kYearDigitsMax ? number_node(text) : text_node(text);
    }
    case FieldKind::kKeyword:
    case FieldKind::kText:
    case FieldKind::kIp:
    case FieldKind::kObject:
    case FieldKind::kNested:
    case FieldKind::kOther:
      break;
  }
  return text_node(text);
}

Ask read_parameters(const Parameters& parameters, const FieldCatalog& catalog,
                    const Names& controls, Faults& faults) {
  Reader reader(catalog, faults);
  for (size_t i = 0; i < parameters.size();) {
    const std::string& name = parameters[i].first;
    std::vector<std::string_view> values;
    bool readable = simdjson::validate_utf8(name);
    for (; i < parameters.size() && parameters[i].first == name; ++i) {
      values.push_back(parameters[i].second);
      readable = readable && simdjson::validate_utf8(parameters[i].second);
    }
    if (!readable) {
      faults.add("", "parameters in UTF-8");
    } else if (std::ranges::find(controls, name) != controls.end()) {
      reader.control(name, values);
    } else {
      reader.filter(name, values);
    }
  }
  return std::move(reader.ask);
}

bool is_timeline_field(const Field& field) {
  return field.kind == FieldKind::kDate && field.nested.empty() && sortable(field) &&
         field.searchable;
}

void make_timeline(std::string_view name, const FieldCatalog& catalog, Ask& ask, Faults& faults) {
  const std::string at = "timelines";
  const Field* field = catalog.find(name);
  if (field == nullptr) {
    faults.add(at, simdjson::validate_utf8(name.data(), name.size()) ? catalog.unknown(name)
                                                                     : "a field's name in UTF-8");
    return;
  }
  if (!is_timeline_field(*field)) {
    faults.add(at, fmt::format("a field of type date that queries may use, not within a nested "
                               "array; `{}` is of type {}",
                               name, field->type));
    return;
  }
  ask.filters.push_back({at, object({{"exists", object({{"field", text_node(name)}})}})});
  ask.set("sort", list({object({{"field", text_node(name)}, {"order", text_node("desc")}})}));
}

}  // namespace searchsync::query
