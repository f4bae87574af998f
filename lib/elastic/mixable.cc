#include "lib/elastic/mixable.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "lib/elastic/flat_settings.h"

namespace searchsync::elastic {
namespace {

using Json = nlohmann::json;

// Of storage: which shard a document is in, how it is found there and what it may be is elsewhere.
constexpr std::array<std::string_view, 8> kOfStorage{"index.sort.",
                                                     "index.codec",
                                                     "index.merge.",
                                                     "index.translog.",
                                                     "index.routing.allocation.",
                                                     "index.search.slowlog.",
                                                     "index.indexing.slowlog.",
                                                     "index.priority"};

Json object_of(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json::object();
}

// The properties of a mapping, with those whose names have dots where the engines put them.
Json properties_of(const Json& mapping) {
  Json nested = Json::object();
  const auto properties = mapping.find("properties");
  if (properties == mapping.end() || !properties->is_object()) return nested;
  for (const auto& [name, field] : properties->items()) {
    if (!field.is_object()) continue;  // the engine refuses it
    const auto dot = name.find('.');
    Json& place = nested[name.substr(0, dot)];
    if (dot == std::string::npos) {
      place.update(field, true);
    } else {
      place["properties"][name.substr(dot + 1)] = field;
    }
  }
  return nested;
}

Json without_properties(Json mapping) {
  mapping.erase("properties");
  return mapping;
}

std::string type_of(const Json& field) {
  const auto type = field.find("type");
  return type != field.end() && type->is_string() ? type->get<std::string>() : "object";
}

// The multi-fields of `now` are empty for documents that were written without them.
bool has_multi_fields(const Json& before, const Json& now) {
  const auto there = before.value("fields", Json::object());
  const auto wanted = now.value("fields", Json::object());
  for (const auto& [name, field] : wanted.items()) {
    const auto known = there.find(name);
    if (known == there.end() || type_of(*known) != type_of(field)) return false;
  }
  return true;
}

class Comparison {
 public:
  enum class With { kDeclared, kFound };

  explicit Comparison(With with) : with_(with) {}

  NewFields run(const Json& before, const Json& now) {
    if (with_ == With::kDeclared && without_properties(before) != without_properties(now)) {
      conflict("the mappings differ in more than their fields");
    }
    compare(before, now, "", false);
    return std::move(result_);
  }

 private:
  // strict: whether the object above takes no other fields than those declared.
  void compare(const Json& before, const Json& now, const std::string& path, bool strict) {
    const auto dynamic = before.find("dynamic");
    if (dynamic != before.end())
      strict = dynamic->is_string() && dynamic->get<std::string>() == "strict";
    const auto there = properties_of(before);
    const auto wanted = properties_of(now);
    for (const auto& [name, field] : wanted.items()) {
      const auto whole = path.empty() ? name : path + "." + name;
      const auto known = there.find(name);
      if (known == there.end()) {
        add(field, whole, strict);
      } else if (check(*known, field, whole)) {
        compare(*known, field, whole, strict);
      }
    }
  }

  void add(const Json& field, const std::string& path, bool strict) {
    result_.missing.push_back(path);
    if (!strict) {
      conflict(
          fmt::format("field {} is new where documents may have brought it: the object it is "
                      "in is not dynamic: strict",
                      path));
    }
    if (type_of(field) == "nested") {
      conflict(
          fmt::format("field {} is nested: where it is not there yet, queries of it fail", path));
    }
    const auto properties = properties_of(field);
    for (const auto& [name, below] : properties.items()) {
      add(below, path + "." + name, strict);
    }
  }

  bool check(const Json& before, const Json& now, const std::string& path) {
    if (with_ == With::kDeclared) {
      if (without_properties(before) == without_properties(now)) return true;
      conflict(fmt::format("field {} is declared otherwise", path));
    } else if (type_of(before) != type_of(now)) {
      conflict(
          fmt::format("field {} is there as {}, not as {}", path, type_of(before), type_of(now)));
    } else if (has_multi_fields(before, now)) {
      return true;
    } else {
      conflict(fmt::format("field {} is there without its multi-fields", path));
    }
    return false;
  }

  void conflict(std::string why) {
    if (result_.conflict.empty()) result_.conflict = std::move(why);
  }

  const With with_;
  NewFields result_;
};

}  // namespace

std::string mappings_conflict(std::string_view before, std::string_view now) {
  return Comparison(Comparison::With::kDeclared).run(object_of(before), object_of(now)).conflict;
}

std::string settings_conflict(std::string_view before, std::string_view now) {
  const Json one = flat_settings(object_of(before));
  const Json other = flat_settings(object_of(now));
  for (const auto* all : {&one, &other}) {
    for (const auto& [name, value] : all->items()) {
      const bool same = one.contains(name) && other.contains(name) && one[name] == other[name];
      const bool storage = std::ranges::any_of(
          kOfStorage, [&name](std::string_view prefix) { return name.starts_with(prefix); });
      if (!same && !storage) return fmt::format("setting {} is another", name);
    }
  }
  return "";
}

NewFields new_fields(std::string_view found, std::string_view declared) {
  return Comparison(Comparison::With::kFound).run(object_of(found), object_of(declared));
}

std::string added_fields(std::string_view declared) {
  const Json mappings = object_of(declared);
  return Json{{"properties", mappings.value("properties", Json::object())}}.dump();
}

}  // namespace searchsync::elastic
