#pragma once

// The kubeconfig file format: see kubeconfig() in cluster_config.h.

#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/kube/cluster_config.h"
#include "lib/model/yaml.h"

namespace searchsync::kube {

// A value of a kubeconfig, with where it came from.
class KubeconfigValue {
 public:
  KubeconfigValue(const model::Node* node, const std::filesystem::path* file, std::string path)
      : node_(node), file_(file), path_(std::move(path)) {}

  bool given() const { return node_ != nullptr && !node_->is_null(); }
  const model::Node* node() const { return node_; }
  KubeconfigValue member(std::string_view name) const;
  // Relative paths are relative to the folder of the file.
  std::filesystem::path folder() const { return file_->parent_path(); }

  // "" where it is not given. kInvalidArgument for anything but a string.
  Result<std::string> string() const;
  // "" and false likewise; for what is refused where it is set to anything.
  Result<bool> boolean() const;
  Result<std::vector<KubeconfigValue>> elements() const;

  // "config:12: users[me].user.token: message"
  std::unexpected<Error> fault(ErrorCode code, std::string_view message) const;

 private:
  const model::Node* node_;  // null: not given
  const std::filesystem::path* file_;
  std::string path_;
};

// Several files as one.
class MergedKubeconfig {
 public:
  static Result<MergedKubeconfig> read(const std::vector<std::filesystem::path>& files);

  Result<std::string> current_context() const;
  // kind: "clusters", "users", "contexts". Returns the body of the first entry of that name.
  // kNotFound, saying which there are.
  Result<KubeconfigValue> find(std::string_view kind, std::string_view name) const;
  std::string files() const;  // for messages

 private:
  struct File {
    std::filesystem::path path;
    model::YamlFile yaml;
  };
  std::deque<File> files_;
};

}  // namespace searchsync::kube
