#include "query/screeners.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

#include "lib/base/function_ref.h"
#include "lib/base/utf8.h"
#include "lib/elastic/json_text.h"
#include "lib/model/json.h"
#include "query/request.h"

namespace searchsync::query {
namespace {

using model::Node;

// Where a parameter may stand in the operand of an operator.
constexpr std::array<std::string_view, 7> kPlaces = {"value", "values", "gte",  "gt",
                                                     "lte",   "lt",     "query"};

// The name in "{{name}}"; empty: it is no parameter.
std::string_view parameter_in(const Node& node) {
  const std::string* text = node.string();
  if (text == nullptr || !text->starts_with("{{") || !text->ends_with("}}")) return {};
  const std::string_view name = std::string_view(*text).substr(2, text->size() - 4);
  const bool legal = !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  return legal ? name : std::string_view();
}

enum class Holds { kOne, kMany };

// Where a parameter stands.
struct Place {
  const std::string* relation = nullptr;  // whose index's documents the filter is about; null: ours
  const std::string* field = nullptr;     // what the operand is about, or null
  Holds holds = Holds::kOne;
};

const std::string* text_at(const Node& node, std::string_view key) {
  const Node* member = node.find(key);
  return member == nullptr ? nullptr : member->string();
}

// Replaces each parameter in a filter by what `value` makes of it.
using Value = FunctionRef<Node(std::string_view name, const Place& place)>;

void replace(Node& node, const std::string* relation, Value value) {
  if (auto* list = std::get_if<Node::Sequence>(&node.value)) {
    for (Node& item : *list) replace(item, relation, value);
    return;
  }
  auto* mapping = std::get_if<Node::Mapping>(&node.value);
  if (mapping == nullptr) return;
  const std::string* field = text_at(node, "field");
  for (Node::Entry& entry : *mapping) {
    Node& inner = entry.value;
    if (std::ranges::find(kPlaces, entry.key) == kPlaces.end()) {
      replace(inner, entry.key == "related" ? text_at(inner, "relation") : relation, value);
    } else if (const std::string name(parameter_in(inner)); !name.empty()) {
      const Holds holds = entry.key == "values" ? Holds::kMany : Holds::kOne;
      inner = value(name, {.relation = relation, .field = field, .holds = holds});
    } else if (auto* items = std::get_if<Node::Sequence>(&inner.value)) {
      for (Node& item : *items) {
        const std::string of_item(parameter_in(item));
        if (!of_item.empty()) item = value(of_item, {.relation = relation, .field = field});
      }
    }
  }
}

Node read_json(const model::JsonText& text) {
  // Was read before, as a part of the resource; what is too deep for JSON is no filter.
  return model::parse_json(text.text).value_or(Node());
}

Node sort_of(const std::vector<model::SortSpec>& sorts) {
  Node::Sequence list;
  for (const model::SortSpec& sort : sorts) {
    const char* order = sort.order == model::SortOrder::kAscending ? "asc" : "desc";
    list.push_back(
        {Node::Mapping{{"field", {}, {sort.field, {}}}, {"order", {}, {std::string(order), {}}}},
         {}});
  }
  return {std::move(list), {}};
}

Node list_of(const std::vector<std::string>& texts) {
  Node::Sequence list;
  for (const std::string& text : texts) list.push_back({text, {}});
  return {std::move(list), {}};
}

// The texts of a URL as the field wants them.
Node typed(const std::vector<std::string>& texts, const Field* field, Holds holds) {
  const auto one = [&](const std::string& text) {
    return field == nullptr ? Node{text, {}} : read_value(*field, text);
  };
  if (holds == Holds::kOne) return one(texts.front());
  Node::Sequence list;
  for (const std::string& text : texts) list.push_back(one(text));
  return {std::move(list), {}};
}

// A value that its field takes.
Node sample(const Field* field, Holds holds) {
  Node one{std::string("x"), {}};
  if (field != nullptr) {
    switch (field->kind) {
      case FieldKind::kInteger:
      case FieldKind::kFloating:
        one = {int64_t{0}, {}};
        break;
      case FieldKind::kBoolean:
        one = {true, {}};
        break;
      case FieldKind::kDate:
        one = {int64_t{0}, {}};
        break;
      case FieldKind::kIp:
        one = {std::string("::"), {}};
        break;
      case FieldKind::kKeyword:
      case FieldKind::kText:
      case FieldKind::kObject:
      case FieldKind::kNested:
      case FieldKind::kOther:
        break;
    }
  }
  if (holds == Holds::kOne) return one;
  return {Node::Sequence{std::move(one)}, {}};
}

// The field that a place is about; null: there is none.
const Field* find_field(const Rules& rules, const Place& place) {
  if (place.field == nullptr) return nullptr;
  if (place.relation == nullptr) return rules.catalog.find(*place.field);
  const auto relation = std::ranges::find(rules.relations, *place.relation, &Relation::name);
  return relation == rules.relations.end() ? nullptr : relation->catalog.find(*place.field);
}

Ask asked_by(const Screener& screener, const Ask& rest, Value value) {
  Ask ask;
  for (const Clause& clause : screener.ask.filters) {
    ask.filters.push_back(clause);
    replace(ask.filters.back().filter, nullptr, value);
  }
  ask.rest = rest.rest;
  for (const Node::Entry& entry : *screener.ask.rest.mapping()) {
    if (ask.find(entry.key) == nullptr) ask.set(entry.key, entry.value);
  }
  return ask;
}

}  // namespace

const Names& screener_controls() {
  static const Names kControls = {"size", "cursor", "limit", "format", "freshness", "allowPartial"};
  return kControls;
}

std::vector<Screener> read_screeners(std::span<const model::ScreenerSpec> specs) {
  std::vector<Screener> screeners;
  for (const model::ScreenerSpec& spec : specs) {
    Screener& one = screeners.emplace_back();
    one.name = spec.name;
    one.description = spec.description;
    if (spec.filter) one.ask.filters.push_back({"screener.filter", read_json(*spec.filter)});
    if (!spec.sort.empty()) one.ask.set("sort", sort_of(spec.sort));
    if (spec.facets) one.ask.set("facets", read_json(*spec.facets));
    if (!spec.fields.empty()) one.ask.set("fields", list_of(spec.fields));
    if (spec.size) one.ask.set("size", {int64_t{*spec.size}, {}});
    for (Clause clause : one.ask.filters) {
      replace(clause.filter, nullptr, [&](std::string_view name, const Place&) {
        const std::string known(name);
        if (std::ranges::find(one.parameters, known) == one.parameters.end()) {
          one.parameters.push_back(known);
        }
        return Node();
      });
    }
  }
  return screeners;
}

const Screener* find_screener(std::span<const Screener> screeners, std::string_view name) {
  const auto found = std::ranges::find(screeners, name, &Screener::name);
  return found == screeners.end() ? nullptr : &*found;
}

Arguments read_arguments(const Parameters& parameters, const Names& controls, Ask& rest,
                         Faults& faults) {
  Arguments arguments;
  Parameters control;
  for (const auto& [name, value] : parameters) {
    if (std::ranges::find(controls, name) != controls.end()) {
      control.emplace_back(name, value);
    } else if (!simdjson::validate_utf8(name) || !simdjson::validate_utf8(value)) {
      faults.add("", "parameters in UTF-8");
    } else {
      auto& place = arguments[name];
      if (std::holds_alternative<Node>(place)) place = std::vector<std::string>();
      std::get<std::vector<std::string>>(place).push_back(value);
    }
  }
  // None of these is a filter: a catalog without fields has nothing to ask for.
  rest = read_parameters(control, FieldCatalog(), controls, faults);
  return arguments;
}

Arguments take_arguments(Ask& body, Faults& faults) {
  Arguments arguments;
  auto& members = std::get<Node::Mapping>(body.rest.value);
  const auto found = std::ranges::find(members, "parameters", &Node::Entry::key);
  if (found == members.end()) return arguments;
  if (const auto* mapping = found->value.mapping()) {
    for (const Node::Entry& entry : *mapping) arguments.emplace(entry.key, entry.value);
  } else {
    faults.add("parameters", "an object with a value for each parameter");
  }
  members.erase(found);
  return arguments;
}

Ask fill_in(const Screener& screener, const Arguments& arguments, const Ask& rest,
            const Rules& rules, Faults& faults) {
  for (const std::string& name : screener.parameters) {
    const auto given = arguments.find(name);
    if (given == arguments.end()) {
      faults.add(name, "a value for this parameter of the screener");
    } else if (const Node* json = std::get_if<Node>(&given->second); json && json->mapping()) {
      faults.add(name, "a value, or an array of values");
    }
  }
  for (const auto& [name, argument] : arguments) {
    if (std::ranges::find(screener.parameters, name) != screener.parameters.end()) continue;
    faults.add(cut_utf8(name, 64), screener.parameters.empty()
                                       ? "nothing; the screener has no parameters"
                                       : fmt::format("nothing; the screener's parameters are {}",
                                                     fmt::join(screener.parameters, ", ")));
  }
  return asked_by(screener, rest, [&](std::string_view name, const Place& place) {
    const auto given = arguments.find(name);
    const Field* field = find_field(rules, place);
    if (given == arguments.end()) return sample(field, place.holds);
    if (const auto* texts = std::get_if<std::vector<std::string>>(&given->second)) {
      if (place.holds == Holds::kOne && texts->size() > 1) {
        faults.add(std::string(name), "this parameter once");
      }
      return typed(*texts, field, place.holds);
    }
    const Node& json = std::get<Node>(given->second);
    if (place.holds == Holds::kMany && json.sequence() == nullptr) {
      return Node{Node::Sequence{json}, {}};
    }
    return json;
  });
}

Faults check_screener(const Screener& screener, const Rules& rules) {
  Faults faults;
  for (const std::string& name : screener.parameters) {
    const Names& controls = screener_controls();
    if (std::ranges::find(controls, name) == controls.end()) continue;
    faults.add("screener.filter", fmt::format("another name than `{}` for a parameter", name));
  }
  const Ask ask = asked_by(screener, {}, [&](std::string_view, const Place& place) {
    return sample(find_field(rules, place), place.holds);
  });
  plan_search(ask, rules, faults);
  return faults;
}

std::vector<Screener> usable_screeners(std::span<const Screener> screeners, const Rules& rules) {
  std::vector<Screener> usable;
  for (const Screener& screener : screeners) {
    if (!rules.limited || check_screener(screener, rules).empty()) usable.push_back(screener);
  }
  return usable;
}

std::string render_screeners(std::span<const Screener> screeners) {
  std::string all;
  for (const Screener& screener : screeners) {
    all += all.empty() ? "{\"name\":" : ",{\"name\":";
    elastic::append_quoted(all, screener.name);
    all += ",\"description\":";
    elastic::append_quoted(all, screener.description);
    all += ",\"parameters\":[";
    for (size_t i = 0; i < screener.parameters.size(); ++i) {
      if (i > 0) all += ',';
      elastic::append_quoted(all, screener.parameters[i]);
    }
    all += "]}";
  }
  return "{\"screeners\":[" + all + "]}";
}

}  // namespace searchsync::query
