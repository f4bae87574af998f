#include "operator/cluster/secret_cache.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "lib/base/base64.h"
#include "lib/base/hash.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {

using nlohmann::json;

Result<std::shared_ptr<const SecretCache::Entry>> SecretCache::find(const std::string& namespace_,
                                                                    const std::string& secret) {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    const auto is_old = [&](const auto& entry) { return now - entry.second->read > kKeep; };
    const auto known = entries_.find({namespace_, secret});
    if (known != entries_.end() && !is_old(*known)) return known->second;
    std::erase_if(entries_, is_old);
  }
  Entry entry{.read = now};
  const auto object = client_.get(secret_type(), {namespace_, secret});
  if (object) {
    entry.exists = true;
    const json parsed = json::parse(*object, nullptr, false);
    std::string all;
    if (parsed.is_object() && parsed.contains("data") && parsed.at("data").is_object()) {
      for (const auto& [key, value] : parsed.at("data").items()) {
        auto text =
            decode_base64(value.is_string() ? value.get<std::string>() : "", Spaces::kLeftOut);
        if (!text) {
          return fail(ErrorCode::kMalformed,
                      fmt::format("secret {}/{}: {} is not base64", namespace_, secret, key));
        }
        all += key + '\0' + *text + '\0';
        entry.data[key] = std::move(*text);
      }
    }
    entry.hash = stable_hash_hex(all, 16);
  } else if (object.error().reason != kube::ApiReason::kNotFound) {
    return std::unexpected(object.error());
  }
  auto read = std::make_shared<const Entry>(std::move(entry));
  const std::lock_guard lock(mutex_);
  entries_[{namespace_, secret}] = read;
  return read;
}

Result<std::string> SecretCache::get(const std::string& namespace_, const std::string& secret,
                                     const std::string& key) {
  ASSIGN_OR_RETURN(const auto entry, find(namespace_, secret));
  if (!entry->exists) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no secret {}/{}", namespace_, secret));
  }
  const auto found = entry->data.find(key);
  if (found == entry->data.end()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("secret {}/{} has no entry {}", namespace_, secret, key));
  }
  return found->second;
}

Result<std::string> SecretCache::hash(const std::string& namespace_, const std::string& secret) {
  ASSIGN_OR_RETURN(const auto entry, find(namespace_, secret));
  return entry->hash;
}

Result<std::map<std::string, std::string>> SecretCache::hashes(
    const std::string& namespace_, const std::set<std::string>& secrets) {
  std::map<std::string, std::string> all;
  for (const auto& secret : secrets) {
    ASSIGN_OR_RETURN(all[secret], hash(namespace_, secret));
  }
  return all;
}

NamespaceSecrets::~NamespaceSecrets() {
  for (const auto& [content, file] : files_) ::close(file);
}

Result<std::filesystem::path> NamespaceSecrets::file(std::string_view secret,
                                                     std::string_view key) const {
  ASSIGN_OR_RETURN(const auto content, get(secret, key));
  const std::lock_guard lock(mutex_);
  auto known = files_.find(content);
  if (known == files_.end()) {
    const int file = ::memfd_create("secret", MFD_CLOEXEC);
    if (file < 0) return fail(ErrorCode::kUnavailable, "no file in memory can be made");
    if (::write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
      ::close(file);
      return fail(ErrorCode::kUnavailable, "a file in memory cannot be written");
    }
    known = files_.emplace(content, file).first;
  }
  return std::filesystem::path(fmt::format("/proc/self/fd/{}", known->second));
}

}  // namespace searchsync::cluster
