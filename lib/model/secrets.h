#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/resources.h"

namespace searchsync::model {

// Reads secrets by name, never lists them. What it returns must not be logged.
class SecretStore {
 public:
  virtual ~SecretStore() = default;

  // The value of one entry. Errors: kNotFound, saying where it was looked for; kLimit above 1 MiB;
  // kPermission; kInvalidArgument for a name that cannot be one.
  virtual Result<std::string> get(std::string_view secret, std::string_view key) const = 0;

  // A file that holds the entry, for libraries that take only files. Errors: as get(), and
  // kUnsupported if the entry exists but not as a file.
  virtual Result<std::filesystem::path> file(std::string_view secret,
                                             std::string_view key) const = 0;
};

// The files DIRECTORY/<secret>/<key>, and if there is no such file the environment's variable
// SEARCHSYNC_SECRET_<SECRET>_<KEY>. One trailing newline of a file is cut. Each call reads anew, so
// that rotation is seen. Thread-safe as far as the environment is not written.
class FolderSecrets final : public SecretStore {
 public:
  // The value of a variable, or null.
  using Environment = std::function<const char*(const char*)>;

  // Without a directory only the environment is read.
  explicit FolderSecrets(std::optional<std::filesystem::path> directory);
  FolderSecrets(std::optional<std::filesystem::path> directory, Environment environment);

  Result<std::string> get(std::string_view secret, std::string_view key) const override;
  Result<std::filesystem::path> file(std::string_view secret, std::string_view key) const override;

  // The names of all entries of a secret, sorted. Errors: kNotFound; kUnsupported without a folder:
  // the environment does not say what names its variables come from.
  Result<std::vector<std::string>> entries(std::string_view secret) const;

  // SEARCHSYNC_SECRET_BUG_DB_CA_CRT for bug-db and ca.crt.
  static std::string variable(std::string_view secret, std::string_view key);

 private:
  const std::optional<std::filesystem::path> directory_;
  const Environment environment_;
};

// A libpq connection string: the secret's `uri` as it is, or one made of host, port, dbname,
// username (or user), password and sslmode. With an entry ca.crt the server's certificate is
// verified by it (sslmode verify-full unless the secret says otherwise). Errors: as SecretStore;
// kInvalidArgument if neither uri nor host is there, or both.
Result<std::string> postgres_conninfo(const SecretStore& secrets, const SecretRef& reference);

// Empty strings: not given.
struct ElasticsearchCredentials {
  std::string username;
  std::string password;
  std::string api_key;  // instead of username and password
  std::string ca_pem;   // the certificates to trust; empty: the system's
};

Result<ElasticsearchCredentials> elasticsearch_credentials(const SecretStore& secrets,
                                                           const ElasticsearchSpec& spec);

enum class Encryption { kNone, kTls };

struct KafkaCredentials {
  Encryption encryption = Encryption::kNone;
  std::string mechanism;  // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty: no authentication
  std::string username;
  std::string password;
  std::string ca_pem;
};

Result<KafkaCredentials> kafka_credentials(const SecretStore& secrets, const KafkaSpec& spec);

}  // namespace searchsync::model
