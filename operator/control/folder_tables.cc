#include "operator/control/folder_tables.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "lib/base/log.h"
#include "lib/model/resource_schema.h"
#include "lib/model/validate_tables.h"
#include "operator/control/notes_file.h"

namespace searchsync::control {
namespace {

using nlohmann::json;

const model::SourceBinding* database_binding(const model::Resources& resources,
                                             const model::SearchIndex& index) {
  const auto found = std::ranges::find_if(resources.bindings, [&](const auto& binding) {
    return binding.metadata.namespace_ == index.metadata.namespace_ &&
           binding.spec.index_ref == index.metadata.name && model::selection_of(binding) != nullptr;
  });
  return found == resources.bindings.end() ? nullptr : &*found;
}

const model::SecretRef& secret_of(const model::SourceBinding& binding) {
  return std::get<model::PostgresSource>(binding.spec.source).secret_ref;
}

std::set<std::string> taken_in(const model::Resources& resources, const std::string& name_space) {
  std::set<std::string> names;
  for (const auto& index : resources.indices) {
    names.insert(index.spec.index_name);
    if (index.metadata.namespace_ == name_space) names.insert(index.metadata.name);
  }
  for (const auto& binding : resources.bindings) {
    if (binding.metadata.namespace_ == name_space) names.insert(binding.metadata.name);
  }
  return names;
}

void sort(model::Resources& resources) {
  const auto key = [](const auto& one) {
    return std::tie(one.metadata.namespace_, one.metadata.name);
  };
  std::ranges::sort(resources.indices, {}, key);
  std::ranges::sort(resources.bindings, {}, key);
}

void say(const plan::ObjectKey& index, const plan::Expansion& before, const plan::Expansion& now) {
  for (const auto& one : now.kept) {
    const auto known = std::ranges::find(before.kept, one.table, &plan::KeptTable::table);
    if (known == before.kept.end()) {
      log::info("{}: table {} is kept as {}", index, to_string(one.table),
                one.index.spec.index_name);
    } else if (*known != one) {
      log::info("{}: table {} was altered, or what is declared of it", index, to_string(one.table));
    }
  }
  for (const auto& one : before.kept) {
    if (std::ranges::find(now.kept, one.table, &plan::KeptTable::table) == now.kept.end()) {
      log::info("{}: table {} is not kept any more", index, to_string(one.table));
    }
  }
  for (const auto& one : now.refused) {
    if (std::ranges::find(before.refused, one) == before.refused.end()) {
      log::warning("{}: table {} cannot be kept: {}", index, one.table, one.reason);
    }
  }
}

}  // namespace

void FolderTables::add(plan::Observed& observed) {
  model::Resources more;
  std::set<std::string> databases;
  for (const auto& index : observed.resources.indices) {
    if (!index.spec.tables) continue;
    const auto* binding = database_binding(observed.resources, index);
    if (binding == nullptr) continue;
    const auto& name_space = index.metadata.namespace_;
    databases.insert(fmt::format("{}/{}", name_space, secret_of(*binding).name));
    plan::ObservedTables& seen = observed.tables[plan::object_key(index.metadata)];
    // Also by the tables of databases before it: "a-b" and c, "a" and b_c.
    std::set<std::string> taken = taken_in(observed.resources, name_space);
    taken.merge(taken_in(more, name_space));
    const auto* expansion = find(index, *binding, taken, seen);
    if (expansion == nullptr) continue;
    seen.known = true;
    seen.remarks = expansion->remarks;
    for (const auto& [table, reason] : expansion->refused) seen.refused.push_back({table, reason});
    for (const auto& one : expansion->kept) {
      seen.kept.push_back({one.path, plan::object_key(one.index.metadata)});
      more.indices.push_back(one.index);
      more.bindings.push_back(one.binding);
    }
  }
  watch_.keep(databases);
  forget_others(observed);
  std::ranges::move(more.indices, std::back_inserter(observed.resources.indices));
  std::ranges::move(more.bindings, std::back_inserter(observed.resources.bindings));
  sort(observed.resources);
}

const plan::Expansion* FolderTables::find(const model::SearchIndex& index,
                                          const model::SourceBinding& binding,
                                          const std::set<std::string>& taken,
                                          plan::ObservedTables& seen) {
  const auto key = plan::object_key(index.metadata);
  const auto latest = watch_.latest(index.metadata.namespace_, secret_of(binding));
  if (latest && !*latest) seen.fault = latest->error().message;
  auto known = known_.find(key);
  if (known == known_.end() && (!latest || !*latest)) {
    const auto before = remembered_.find(key);
    if (before != remembered_.end()) return &before->second;
    const auto text = read_file(file(key));
    if (!text) return nullptr;
    auto parsed = parse_expansion(*text);
    if (!parsed) {
      log::error("{}: {}", file(key).string(), parsed.error().message);
      return nullptr;
    }
    return &remembered_.emplace(key, std::move(*parsed)).first->second;
  }
  // Of a database that cannot be read, what it had last: with what is declared now.
  const auto& catalog = latest && *latest ? **latest : known->second.catalog;
  if (known != known_.end() && known->second.index == index && known->second.binding == binding &&
      known->second.taken == taken && known->second.catalog == catalog) {
    return &known->second.expansion;
  }
  Known now{.index = index,
            .binding = binding,
            .taken = taken,
            .catalog = catalog,
            .expansion = plan::expand(index, binding, catalog, taken)};
  say(key, known == known_.end() ? plan::Expansion{} : known->second.expansion, now.expansion);
  std::error_code ignored;
  std::filesystem::create_directories(directory_, ignored);
  if (const auto written = write_file(file(key), to_json(now.expansion)); !written) {
    log::error("{}", written.error().message);
  }
  return &known_.insert_or_assign(key, std::move(now)).first->second.expansion;
}

void FolderTables::forget_others(const plan::Observed& observed) {
  if (!observed.resources_known) return;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, none)) {
    const auto is_its = [&](const auto& one) { return file(one.first) == entry.path(); };
    if (std::ranges::none_of(observed.tables, is_its)) std::filesystem::remove(entry.path(), none);
  }
  const auto is_gone = [&](const auto& one) { return !observed.tables.contains(one.first); };
  std::erase_if(known_, is_gone);
  std::erase_if(remembered_, is_gone);
}

void FolderTables::settle(const model::Resources& resources) {
  for (const auto& index : resources.indices) {
    if (!index.spec.tables) continue;
    if (const auto* binding = database_binding(resources, index)) {
      (void)watch_.latest(index.metadata.namespace_, secret_of(*binding));
    }
  }
  watch_.settle();
}

std::filesystem::path FolderTables::file(const plan::ObjectKey& index) const {
  std::string name = index;
  std::ranges::replace(name, '/', '.');  // neither part has dots
  return directory_ / (name + ".json");
}

model::Resources remembered_tables(const std::filesystem::path& directory) {
  model::Resources all;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory, none)) {
    const auto text = read_file(entry.path());
    if (!text) continue;
    const auto expansion = parse_expansion(*text);
    if (!expansion) continue;
    for (const auto& one : expansion->kept) {
      all.indices.push_back(one.index);
      all.bindings.push_back(one.binding);
    }
  }
  sort(all);
  return all;
}

std::string to_json(const plan::Expansion& expansion) {
  json out = {{"kept", json::array()}, {"refused", json::array()}, {"remarks", expansion.remarks}};
  for (const auto& one : expansion.kept) {
    out["kept"].push_back({{"schema", one.table.schema},
                           {"table", one.table.table},
                           {"path", one.path},
                           {"index", json::parse(model::to_json(one.index))},
                           {"binding", json::parse(model::to_json(one.binding))}});
  }
  for (const auto& one : expansion.refused) {
    out["refused"].push_back({{"table", one.table}, {"reason", one.reason}});
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<plan::Expansion> parse_expansion(std::string_view text) {
  try {
    plan::Expansion out;
    const json in = json::parse(text);
    for (const auto& one : in.at("kept")) {
      plan::KeptTable& kept = out.kept.emplace_back();
      kept.table = {one.at("schema").get<std::string>(), one.at("table").get<std::string>()};
      kept.path = one.at("path").get<std::string>();
      ASSIGN_OR_RETURN(kept.index, model::parse_search_index(one.at("index").dump()));
      ASSIGN_OR_RETURN(kept.binding, model::parse_source_binding(one.at("binding").dump()));
    }
    for (const auto& one : in.at("refused")) {
      out.refused.push_back(
          {one.at("table").get<std::string>(), one.at("reason").get<std::string>()});
    }
    out.remarks = in.at("remarks").get<std::vector<std::string>>();
    return out;
  } catch (const json::exception& error) {
    return fail(ErrorCode::kMalformed, error.what());
  }
}

}  // namespace searchsync::control
