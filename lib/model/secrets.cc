#include "lib/model/secrets.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "lib/base/bounded_file.h"

namespace searchsync::model {
namespace {

constexpr size_t kSecretBytesMax = 1 << 20;

// Names come from people's resources and become file names: they must not lead out of the folder.
Result<void> check_name(std::string_view what, std::string_view name) {
  const bool legal = !name.empty() && name.size() <= 253 && name.front() != '.' &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
                     });
  if (legal) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("a secret's {} has letters, digits, -, _ and dots, not a dot first", what));
}

// Nothing if the entry is not there.
Result<std::optional<std::string>> get_optional(const SecretStore& secrets, std::string_view name,
                                                std::string_view key) {
  Result<std::string> value = secrets.get(name, key);
  if (value) return std::move(*value);
  if (value.error().code == ErrorCode::kNotFound) return std::nullopt;
  return std::unexpected(std::move(value).error());
}

Result<std::string> read_entry(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(std::string value, read_bounded_file(path, kSecretBytesMax));
  if (value.ends_with("\r\n")) {
    value.resize(value.size() - 2);
  } else if (value.ends_with('\n')) {
    value.pop_back();
  }
  return value;
}

// One setting of a libpq connection string.
std::string conninfo_setting(std::string_view name, std::string_view value) {
  std::string out = fmt::format("{}='", name);
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_' || c == '/' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// `uri` with the setting, unless it has it already. A uri may also be a string of settings.
std::string with_setting(std::string uri, std::string_view name, std::string_view value) {
  if (uri.find(fmt::format("{}=", name)) != std::string::npos) return uri;
  if (!uri.starts_with("postgres://") && !uri.starts_with("postgresql://")) {
    return uri + " " + conninfo_setting(name, value);
  }
  const char separator = uri.find('?') == std::string::npos ? '?' : '&';
  return fmt::format("{}{}{}={}", uri, separator, name, percent_encoded(value));
}

// The file of ca.crt, if the secret has it.
Result<std::optional<std::string>> certificate_file(const SecretStore& secrets,
                                                    const SecretRef& reference) {
  Result<std::filesystem::path> path = secrets.file(reference.name, "ca.crt");
  if (path) return path->string();
  if (path.error().code == ErrorCode::kNotFound) return std::nullopt;
  return std::unexpected(std::move(path).error());
}

Result<std::string> conninfo_from_parts(const SecretStore& secrets, const SecretRef& reference,
                                        const std::optional<std::string>& certificate) {
  // What libpq calls it, and the entries that may hold it.
  struct Part {
    std::string_view setting;
    std::vector<std::string_view> keys;
  };
  static const std::vector<Part> kParts = {
      {"host", {"host"}},         {"port", {"port"}},
      {"dbname", {"dbname"}},     {"user", {"username", "user"}},
      {"password", {"password"}}, {"sslmode", {"sslmode"}}};
  std::string out;
  bool has_sslmode = false;
  for (const Part& part : kParts) {
    for (const std::string_view key : part.keys) {
      ASSIGN_OR_RETURN(const auto value, get_optional(secrets, reference.name, key));
      if (!value) continue;
      out += (out.empty() ? "" : " ") + conninfo_setting(part.setting, *value);
      has_sslmode = has_sslmode || part.setting == "sslmode";
      break;
    }
  }
  if (certificate) {
    out += " " + conninfo_setting("sslrootcert", *certificate);
    if (!has_sslmode) out += " " + conninfo_setting("sslmode", "verify-full");
  }
  return out;
}

}  // namespace

FolderSecrets::FolderSecrets(std::optional<std::filesystem::path> directory)
    : FolderSecrets(std::move(directory), [](const char* name) { return std::getenv(name); }) {}

FolderSecrets::FolderSecrets(std::optional<std::filesystem::path> directory,
                             Environment environment)
    : directory_(std::move(directory)), environment_(std::move(environment)) {}

std::string FolderSecrets::variable(std::string_view secret, std::string_view key) {
  std::string out = fmt::format("SEARCHSYNC_SECRET_{}_{}", secret, key);
  for (char& c : out) {
    const bool digit = c >= '0' && c <= '9';
    if (c >= 'a' && c <= 'z') {
      c = static_cast<char>(c - 'a' + 'A');
    } else if (!digit && !(c >= 'A' && c <= 'Z')) {
      c = '_';
    }
  }
  return out;
}

Result<std::filesystem::path> FolderSecrets::file(std::string_view secret,
                                                  std::string_view key) const {
  RETURN_IF_ERROR(check_name("name", secret));
  RETURN_IF_ERROR(check_name("key", key));
  const std::string name = variable(secret, key);
  if (directory_) {
    const std::filesystem::path path = *directory_ / secret / key;
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) return path;
    if (error && error != std::errc::no_such_file_or_directory &&
        error != std::errc::not_a_directory) {
      return fail(ErrorCode::kPermission, fmt::format("{}: {}", path.string(), error.message()));
    }
    if (environment_(name.c_str()) == nullptr) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("secret {} has no entry {}: neither the file {} nor the environment "
                              "variable {} is there",
                              secret, key, path.string(), name));
    }
  } else if (environment_(name.c_str()) == nullptr) {
    return fail(ErrorCode::kNotFound,
                fmt::format("secret {} has no entry {}: no folder of secrets was given, and the "
                            "environment variable {} is not there",
                            secret, key, name));
  }
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("secret {}: {} is in the environment variable {}, and is needed as a file "
                  "in the folder of secrets",
                  secret, key, name));
}

Result<std::vector<std::string>> FolderSecrets::entries(std::string_view secret) const {
  RETURN_IF_ERROR(check_name("name", secret));
  if (!directory_) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("secret {}: its entries are read from a folder of secrets, and none "
                            "was given",
                            secret));
  }
  const std::filesystem::path folder = *directory_ / secret;
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::directory_iterator{}; at.increment(error)) {
    // Kubernetes keeps what the entries lead to in hidden folders beside them.
    std::string name = at->path().filename().string();
    std::error_code ignored;
    if (!name.starts_with('.') && at->is_regular_file(ignored)) names.push_back(std::move(name));
  }
  if (error) {
    return fail(ErrorCode::kNotFound, fmt::format("secret {}: {} cannot be read: {}", secret,
                                                  folder.string(), error.message()));
  }
  std::ranges::sort(names);
  return names;
}

Result<std::string> FolderSecrets::get(std::string_view secret, std::string_view key) const {
  Result<std::filesystem::path> path = file(secret, key);
  if (path) return read_entry(*path);
  if (path.error().code != ErrorCode::kUnsupported) {
    return std::unexpected(std::move(path).error());
  }
  std::string value = environment_(variable(secret, key).c_str());
  if (value.size() > kSecretBytesMax) {
    return fail(ErrorCode::kLimit, fmt::format("{} has more than {} bytes, the most a secret may",
                                               variable(secret, key), kSecretBytesMax));
  }
  return value;
}

Result<std::string> postgres_conninfo(const SecretStore& secrets, const SecretRef& reference) {
  ASSIGN_OR_RETURN(const auto uri, get_optional(secrets, reference.name, "uri"));
  ASSIGN_OR_RETURN(const auto host, get_optional(secrets, reference.name, "host"));
  ASSIGN_OR_RETURN(const auto certificate, certificate_file(secrets, reference));
  if (uri && host) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("secret {} has both uri and host: keep one of them", reference.name));
  }
  if (uri) {
    if (!certificate) return *uri;
    return with_setting(with_setting(*uri, "sslrootcert", *certificate), "sslmode", "verify-full");
  }
  if (host) return conninfo_from_parts(secrets, reference, certificate);
  // The store's own words say where it looked.
  const auto missing = secrets.get(reference.name, "uri");
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("secret {} needs an entry uri, or host and what goes with it{}", reference.name,
                  missing.has_value() ? "" : ": " + missing.error().message));
}

Result<ElasticsearchCredentials> elasticsearch_credentials(const SecretStore& secrets,
                                                           const ElasticsearchSpec& spec) {
  ElasticsearchCredentials out;
  if (spec.ca_secret_ref) {
    ASSIGN_OR_RETURN(out.ca_pem, secrets.get(spec.ca_secret_ref->name, spec.ca_secret_ref->key));
  }
  if (!spec.credentials_secret_ref) return out;
  const std::string& name = spec.credentials_secret_ref->name;
  ASSIGN_OR_RETURN(const auto api_key, get_optional(secrets, name, "apiKey"));
  if (api_key) {
    out.api_key = *api_key;
    return out;
  }
  ASSIGN_OR_RETURN(out.username, secrets.get(name, "username"));
  ASSIGN_OR_RETURN(out.password, secrets.get(name, "password"));
  return out;
}

Result<KafkaCredentials> kafka_credentials(const SecretStore& secrets, const KafkaSpec& spec) {
  constexpr std::array<std::string_view, 3> kMechanisms = {"PLAIN", "SCRAM-SHA-256",
                                                           "SCRAM-SHA-512"};
  KafkaCredentials out;
  if (spec.ca_secret_ref) {
    out.encryption = Encryption::kTls;
    ASSIGN_OR_RETURN(out.ca_pem, secrets.get(spec.ca_secret_ref->name, spec.ca_secret_ref->key));
  }
  if (!spec.credentials_secret_ref) return out;
  const std::string& name = spec.credentials_secret_ref->name;
  ASSIGN_OR_RETURN(out.mechanism, secrets.get(name, "mechanism"));
  if (std::find(kMechanisms.begin(), kMechanisms.end(), out.mechanism) == kMechanisms.end()) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("secret {}: mechanism must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", name));
  }
  ASSIGN_OR_RETURN(out.username, secrets.get(name, "username"));
  ASSIGN_OR_RETURN(out.password, secrets.get(name, "password"));
  return out;
}

}  // namespace searchsync::model
