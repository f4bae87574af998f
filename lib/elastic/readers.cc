#include "lib/elastic/readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/elastic/bulk.h"

namespace searchsync::elastic {
namespace {

using Json = nlohmann::json;

bool is_reader(std::string_view alias, const std::string& name) {
  return name == alias || name.starts_with(partition_alias(alias, ""));
}

bool is_narrow(const Json& how) {
  return how.contains("filter") || how.contains("index_routing") || how.contains("search_routing");
}

// Of an index of ours.
std::set<std::string> wanted(const ReadersMove& move, const IndexName& index) {
  const std::string& own = move.to.get();
  if (index == move.to) return {move.alias, partition_alias(move.alias, kNoPartition)};
  if (!index.get().starts_with(own + "-")) return {};
  return {move.alias, partition_alias(move.alias, index.get().substr(own.size() + 1))};
}

Json action(const char* what, const IndexName& index, const std::string& alias) {
  return {{what, {{"index", index.get()}, {"alias", alias}}}};
}

std::string join(const std::vector<IndexName>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name.get();
  return text.empty() ? "nothing" : text;
}

}  // namespace

std::string partition_alias(std::string_view alias, std::string_view partition) {
  return fmt::format("{}@{}", alias, partition);
}

IndexName generation_of(const IndexName& name, const std::vector<IndexName>& generations) {
  for (const auto& one : generations) {
    if (name.get().starts_with(one.get() + "-")) return one;
  }
  return name;
}

Result<std::string> readers_actions(const ReadersMove& move, std::vector<IndexName> targets,
                                    std::string_view aliases) {
  const Json indices = Json::parse(aliases, nullptr, false);
  if (!indices.is_object()) return fail(ErrorCode::kMalformed, "the aliases are no JSON object");
  auto known = move.from;
  known.push_back(move.to);
  std::set<IndexName> read;
  for (const auto& one : targets) read.insert(generation_of(one, known));
  if (read != std::set(move.from.begin(), move.from.end()) && read != std::set{move.to}) {
    return fail(ErrorCode::kConflict,
                fmt::format("alias {} leads to {}, not to {}", move.alias,
                            join({read.begin(), read.end()}), join(move.from)));
  }
  Json actions = Json::array();
  for (const auto& [name, index] : indices.items()) {
    const IndexName one(name);
    const auto has = index.value("aliases", Json::object());
    std::erase(targets, one);
    auto missing = has.contains(write_alias(one)) ? wanted(move, one) : std::set<std::string>();
    for (const auto& [alias, how] : has.items()) {
      if (!is_reader(move.alias, alias)) continue;
      if (!missing.contains(alias)) actions.push_back(action("remove", one, alias));
      if (!is_narrow(how)) missing.erase(alias);
    }
    for (const auto& alias : missing) actions.push_back(action("add", one, alias));
  }
  // What is not called as ours are.
  for (const auto& one : targets) actions.push_back(action("remove", one, move.alias));
  return actions.empty() ? std::string() : Json{{"actions", actions}}.dump();
}

}  // namespace searchsync::elastic
