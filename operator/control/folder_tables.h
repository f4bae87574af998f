#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "lib/model/secrets.h"
#include "operator/control/catalog_watch.h"
#include "operator/plan/expand.h"
#include "operator/plan/observed.h"

namespace searchsync::control {

// The tables of those indices of a folder that have `tables`. What a database had when it was read
// last is kept in files: that it cannot be read now changes nothing. One thread.
class FolderTables {
 public:
  // secrets: as CatalogWatch needs them.
  FolderTables(std::filesystem::path directory, const model::SecretStore& secrets)
      : directory_(std::move(directory)), watch_(secrets) {}

  // Adds to what was observed the resources of all tables, and what is known of each database.
  void add(plan::Observed& observed);

  // The next add() knows each database, or why it cannot be read.
  void settle(const model::Resources& resources);

 private:
  struct Known {
    model::SearchIndex index;
    model::SourceBinding binding;
    std::set<std::string> taken;
    plan::Catalog catalog;
    plan::Expansion expansion;
  };

  // Null: nothing is known, or was ever.
  const plan::Expansion* find(const model::SearchIndex& index, const model::SourceBinding& binding,
                              const std::set<std::string>& taken, plan::ObservedTables& seen);
  void forget_others(const plan::Observed& observed);
  std::filesystem::path file(const plan::ObjectKey& index) const;

  const std::filesystem::path directory_;
  CatalogWatch watch_;
  std::map<plan::ObjectKey, Known> known_;                 // since this runs
  std::map<plan::ObjectKey, plan::Expansion> remembered_;  // from before
};

// The resources of all tables, as the files in `directory` have them: what `run` keeps, or kept
// last.
model::Resources remembered_tables(const std::filesystem::path& directory);

// What is kept in a file. Parsing it gives an equal value. Errors: kMalformed.
std::string to_json(const plan::Expansion& expansion);
Result<plan::Expansion> parse_expansion(std::string_view json);

}  // namespace searchsync::control
