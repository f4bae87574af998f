#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lib/model/fault.h"
#include "lib/model/resources.h"

namespace searchsync::control {

// The resources declared in a folder, as of the last time that they were without a fault: a wrong
// edit changes nothing that runs. A change counts once two looks in a row find the same, so that a
// file that an editor is in the middle of replacing is not taken for deleted.
class FolderResources {
 public:
  explicit FolderResources(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // Returns whether the resources changed.
  bool look();

  bool known() const { return known_; }  // they were without a fault once
  const model::Resources& resources() const { return resources_; }
  const std::vector<model::Fault>& faults() const { return faults_; }

 private:
  const std::filesystem::path directory_;
  bool known_ = false;
  bool looked_ = false;
  model::Resources resources_;
  model::Resources latest_;
  std::vector<model::Fault> faults_;
};

// By secret: a hash of its entries' names and contents. Secrets that are not folders (those of the
// environment) cannot change while we run and have none.
std::map<std::string, std::string> hash_secrets(const std::filesystem::path& directory,
                                                const std::set<std::string>& names);

// The secrets that the resources name.
std::set<std::string> secret_names(const model::Resources& resources);

}  // namespace searchsync::control
