#include "lib/elastic/index_drift.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/base/utf8.h"

namespace searchsync::elastic {
namespace {

using Json = nlohmann::json;

constexpr size_t kValueBytesMax = 80;
constexpr size_t kPhraseBytesMax = 200;

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string cut(std::string text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  return std::string(cut_utf8(text, bytes_max)) + "...";
}

std::string shown(const Json& value) {
  return cut(text_of(value), kValueBytesMax);
}

std::optional<double> number_of(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// 256 is "256", 1 is 1.0, and "a" is ["a"].
bool same(const Json& declared, const Json& found) {
  if (declared.is_null()) return true;
  if (declared.is_object() && found.is_object()) {
    return std::ranges::all_of(declared.items(), [&](const auto& member) {
      const auto its = found.find(member.key());
      return its == found.end() || same(member.value(), *its);
    });
  }
  if (declared.is_array() || found.is_array()) {
    const Json one = declared.is_array() ? declared : Json::array({declared});
    const Json other = found.is_array() ? found : Json::array({found});
    return std::ranges::equal(one, other, same);
  }
  if (declared.is_structured() || found.is_structured()) return true;  // another way to say it
  const auto one = text_of(declared);
  const auto other = text_of(found);
  if (one == other) return true;
  const auto number = number_of(one);
  return number && number == number_of(other);
}

// All fields of a mapping, by path, the root by "".
struct Field {
  const Json* mapping = nullptr;  // null: only what the engine makes of a dot in a name
  bool open = true;               // documents may bring fields below it
  bool multi = false;             // another way to index the field above it
};
using Fields = std::map<std::string, Field>;

std::string above(const std::string& path) {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

void collect(const Json& mapping, const std::string& path, Field field, Fields& fields) {
  const auto dynamic = mapping.find("dynamic");
  if (dynamic != mapping.end()) {
    const auto value = text_of(*dynamic);
    field.open = value != "strict" && value != "false";
  }
  field.mapping = &mapping;
  fields[path] = field;
  for (const bool multi : {false, true}) {
    const auto below = mapping.find(multi ? "fields" : "properties");
    if (below == mapping.end() || !below->is_object()) continue;
    for (const auto& [name, one] : below->items()) {
      if (!one.is_object()) continue;
      const auto whole = path.empty() ? name : path + "." + name;
      for (auto dot = whole.find('.', path.size() + 1); dot != std::string::npos;
           dot = whole.find('.', dot + 1)) {
        fields.try_emplace(whole.substr(0, dot), Field{.open = field.open});
      }
      collect(one, whole, {.open = field.open, .multi = multi}, fields);
    }
  }
}

class Comparison {
 public:
  std::vector<std::string> phrases;

  void mappings(const Json& declared, const Json& found, Before before) {
    Fields made;
    Fields there;
    collect(declared, "", {}, made);
    collect(found, "", {}, there);
    for (const auto& [path, field] : there) {
      const auto known = made.find(path);
      if (known != made.end()) {
        if (known->second.mapping != nullptr && field.mapping != nullptr) {
          parameters(path.empty() ? "" : fmt::format("field {}: ", path), *known->second.mapping,
                     *field.mapping);
        }
        continue;
      }
      if (before == Before::kOthers) continue;
      // What is below one that is not declared goes with it.
      const auto parent = made.find(above(path));
      if (parent == made.end() || (parent->second.open && !field.multi)) continue;
      add(fmt::format("field {} is not declared", path));
    }
    for (const auto& [path, field] : made) {
      if (!there.contains(path)) add(fmt::format("field {} is missing", path));
    }
  }

  void settings(const Json& declared, const Json& found) {
    static const std::set<std::string_view> kInPlace = {
        "index.number_of_replicas", "index.refresh_interval", "index.gc_deletes"};
    for (const auto& [name, value] : declared.items()) {
      if (!kInPlace.contains(name)) parameter("setting ", name, value, found);
    }
  }

 private:
  void add(std::string phrase) { phrases.push_back(cut(std::move(phrase), kPhraseBytesMax)); }

  void parameters(const std::string& where, const Json& declared, const Json& found) {
    for (const auto& [name, value] : declared.items()) {
      if (name != "properties" && name != "fields") parameter(where, name, value, found);
    }
  }

  void parameter(const std::string& where, const std::string& name, const Json& declared,
                 const Json& found) {
    const auto its = found.find(name);
    if (its == found.end() || same(declared, *its)) return;
    add(declared.is_object()
            ? fmt::format("{}{} was changed", where, name)
            : fmt::format("{}{} is {}, not {}", where, name, shown(*its), shown(declared)));
  }
};

}  // namespace

std::vector<std::string> index_drift(std::string_view body, const IndexState& found,
                                     Before before) {
  const Json declared = Json::parse(body, nullptr, false);
  const Json mappings = Json::parse(found.mappings, nullptr, false);
  const Json settings = Json::parse(found.settings, nullptr, false);
  if (!declared.is_object() || !mappings.is_object() || !settings.is_object()) return {};
  Comparison comparison;
  comparison.mappings(declared.value("mappings", Json::object()), mappings, before);
  if (before == Before::kNothing) {
    comparison.settings(declared.value("settings", Json::object()), settings);
  }
  auto& phrases = comparison.phrases;
  if (phrases.size() > kDriftPhrasesMax) {
    const auto more = phrases.size() - kDriftPhrasesMax + 1;
    phrases.resize(kDriftPhrasesMax - 1);
    phrases.push_back(fmt::format("and {} more", more));
  }
  return std::move(phrases);
}

}  // namespace searchsync::elastic
