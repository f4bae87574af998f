#include "operator/control/folder_resources.h"

#include <algorithm>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/model/load.h"
#include "operator/control/notes_file.h"
#include "query/check.h"

namespace searchsync::control {

bool FolderResources::look() {
  auto loaded = model::load_directory(directory_);
  const bool same = looked_ && loaded.resources == latest_;
  if (loaded.faults.empty() && !same) {
    loaded.faults = query::check_queries(loaded.resources, loaded.origins);
  }
  if (loaded.faults != faults_) {
    for (const auto& fault : loaded.faults) log::error("{}", model::to_string(fault));
    if (loaded.faults.empty()) {
      log::info("{}: no faults any more", directory_.string());
    } else if (known_) {
      log::error("{}: {} faults; what runs stays as it was", directory_.string(),
                 loaded.faults.size());
    }
  }
  faults_ = std::move(loaded.faults);
  if (!faults_.empty()) {
    looked_ = false;
    return false;
  }
  looked_ = true;
  latest_ = std::move(loaded.resources);
  if (!same && known_) return false;
  if (known_ && latest_ == resources_) return false;
  resources_ = latest_;
  known_ = true;
  return true;
}

std::map<std::string, std::string> hash_secrets(const std::filesystem::path& directory,
                                                const std::set<std::string>& names) {
  std::map<std::string, std::string> hashes;
  for (const auto& name : names) {
    std::error_code error;
    std::vector<std::filesystem::path> entries;
    for (std::filesystem::directory_iterator entry(directory / name, error), end;
         !error && entry != end; entry.increment(error)) {
      entries.push_back(entry->path());
    }
    if (entries.empty()) continue;
    std::ranges::sort(entries);
    std::string all;
    for (const auto& entry : entries) {
      const auto content = read_file(entry);
      if (content) all += entry.filename().string() + '\0' + *content + '\0';
    }
    hashes[name] = stable_hash_hex(all, 16);
  }
  return hashes;
}

std::set<std::string> secret_names(const model::Resources& resources) {
  std::set<std::string> names;
  for (const auto& index : resources.indices) {
    const auto& spec = index.spec;
    if (spec.elasticsearch.credentials_secret_ref) {
      names.insert(spec.elasticsearch.credentials_secret_ref->name);
    }
    if (spec.elasticsearch.ca_secret_ref) names.insert(spec.elasticsearch.ca_secret_ref->name);
    if (spec.kafka.credentials_secret_ref) names.insert(spec.kafka.credentials_secret_ref->name);
    if (spec.kafka.ca_secret_ref) names.insert(spec.kafka.ca_secret_ref->name);
    if (spec.ingest.tls_secret_ref) names.insert(spec.ingest.tls_secret_ref->name);
    if (spec.query.keys_secret_ref) names.insert(spec.query.keys_secret_ref->name);
    if (spec.query.commands) names.insert(spec.query.commands->secret_ref.name);
  }
  for (const auto& binding : resources.bindings) {
    const auto* postgres = std::get_if<model::PostgresSource>(&binding.spec.source);
    if (postgres != nullptr) names.insert(postgres->secret_ref.name);
    const auto* http = std::get_if<model::HttpSource>(&binding.spec.source);
    if (http != nullptr && http->tokens_secret_ref) names.insert(http->tokens_secret_ref->name);
  }
  return names;
}

}  // namespace searchsync::control
