#include "lib/model/secrets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>

namespace searchsync::model {
namespace {

class SecretsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "secrets_test_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& secret, const std::string& key, std::string_view value) {
    std::filesystem::create_directories(directory_ / secret);
    std::ofstream(directory_ / secret / key) << value;
  }

  FolderSecrets secrets() {
    return FolderSecrets(directory_, [this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }

  std::string conninfo(const std::string& secret) {
    const auto result = postgres_conninfo(secrets(), {secret});
    return result ? *result : "error: " + result.error().message;
  }

  std::filesystem::path directory_;
  std::map<std::string, std::string> environment_;
};

TEST_F(SecretsTest, ReadsFilesThenTheEnvironment) {
  write("bug-db", "password", "geheim\n");
  environment_["SEARCHSYNC_SECRET_BUG_DB_PASSWORD"] = "not this";
  environment_["SEARCHSYNC_SECRET_BUG_DB_CA_CRT"] = "pem\n";
  EXPECT_EQ(secrets().get("bug-db", "password").value(), "geheim");
  EXPECT_EQ(secrets().get("bug-db", "ca.crt").value(), "pem\n");
  EXPECT_EQ(secrets().file("bug-db", "password").value(), directory_ / "bug-db" / "password");
  EXPECT_EQ(secrets().file("bug-db", "ca.crt").error().code, ErrorCode::kUnsupported);
}

TEST_F(SecretsTest, ListsEntriesAsKubernetesMountsThem) {
  write("keys/..2026", "alice", "x");
  std::filesystem::create_symlink("..2026", directory_ / "keys" / "..data");
  std::filesystem::create_symlink("..data/alice", directory_ / "keys" / "alice");
  write("keys", "bob", "y");
  std::filesystem::create_directories(directory_ / "keys" / "folder");
  EXPECT_EQ(secrets().entries("keys").value(), (std::vector<std::string>{"alice", "bob"}));
  EXPECT_EQ(secrets().entries("none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(secrets().entries("../keys").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(FolderSecrets(std::nullopt).entries("keys").error().code, ErrorCode::kUnsupported);
}

TEST_F(SecretsTest, CutsOneNewlineOnly) {
  write("a", "b", "x\n\n");
  EXPECT_EQ(secrets().get("a", "b").value(), "x\n");
  write("a", "b", "x\r\n");
  EXPECT_EQ(secrets().get("a", "b").value(), "x");
  write("a", "b", "x\r");
  EXPECT_EQ(secrets().get("a", "b").value(), "x\r");
}

TEST_F(SecretsTest, SaysWhereItLooked) {
  const Error error = secrets().get("bug-db", "uri").error();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.message,
            "secret bug-db has no entry uri: neither the file " +
                (directory_ / "bug-db" / "uri").string() +
                " nor the environment variable SEARCHSYNC_SECRET_BUG_DB_URI is there");
  const FolderSecrets nowhere(std::nullopt, [](const char*) -> const char* { return nullptr; });
  EXPECT_EQ(nowhere.get("bug-db", "uri").error().message,
            "secret bug-db has no entry uri: no folder of secrets was given, and the environment "
            "variable SEARCHSYNC_SECRET_BUG_DB_URI is not there");
}

TEST_F(SecretsTest, StaysInItsFolder) {
  for (const char* name : {"..", "../x", "a/b", "", ".hidden"}) {
    EXPECT_EQ(secrets().get(name, "key").error().code, ErrorCode::kInvalidArgument) << name;
    EXPECT_EQ(secrets().get("name", name).error().code, ErrorCode::kInvalidArgument) << name;
  }
}

TEST_F(SecretsTest, RefusesWhatIsTooLarge) {
  write("a", "b", std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(secrets().get("a", "b").error().code, ErrorCode::kLimit);
}

TEST_F(SecretsTest, PostgresFromUri) {
  write("db", "uri", "postgresql://u:p@h/d\n");
  EXPECT_EQ(conninfo("db"), "postgresql://u:p@h/d");
  write("db", "ca.crt", "pem");
  const std::string file = directory_ / "db" / "ca.crt";
  EXPECT_EQ(conninfo("db"), "postgresql://u:p@h/d?sslrootcert=" + file + "&sslmode=verify-full");
  write("db", "uri", "postgresql://h/d?sslmode=require");
  EXPECT_EQ(conninfo("db"), "postgresql://h/d?sslmode=require&sslrootcert=" + file);
  write("db", "uri", "host=h dbname=d");
  EXPECT_EQ(conninfo("db"), "host=h dbname=d sslrootcert='" + file + "' sslmode='verify-full'");
}

TEST_F(SecretsTest, PostgresFromParts) {
  write("db", "host", "h");
  EXPECT_EQ(conninfo("db"), "host='h'");
  write("db", "user", "u");
  write("db", "password", R"(it's \)");
  write("db", "dbname", "d");
  write("db", "port", "5433");
  EXPECT_EQ(conninfo("db"), R"(host='h' port='5433' dbname='d' user='u' password='it\'s \\')");
  write("db", "username", "v");
  write("db", "ca.crt", "pem");
  const std::string file = directory_ / "db" / "ca.crt";
  EXPECT_EQ(conninfo("db"), R"(host='h' port='5433' dbname='d' user='v' password='it\'s \\')"
                            " sslrootcert='" +
                                file + "' sslmode='verify-full'");
  write("db", "sslmode", "disable");
  EXPECT_TRUE(conninfo("db").ends_with(" sslmode='disable' sslrootcert='" + file + "'"));
}

TEST_F(SecretsTest, PostgresNeedsOneOfBoth) {
  EXPECT_TRUE(
      conninfo("db").starts_with("error: secret db needs an entry uri, or host and what goes "
                                 "with it: secret db has no entry uri: neither the file "));
  write("db", "host", "h");
  write("db", "uri", "postgresql://h/d");
  EXPECT_EQ(conninfo("db"), "error: secret db has both uri and host: keep one of them");
}

TEST_F(SecretsTest, Elasticsearch) {
  ElasticsearchSpec spec{.urls = {"http://es:9200"}};
  EXPECT_EQ(elasticsearch_credentials(secrets(), spec).value().username, "");
  spec.credentials_secret_ref = SecretRef{"es"};
  spec.ca_secret_ref = SecretKeyRef{"es-ca", "ca.crt"};
  write("es-ca", "ca.crt", "pem");
  EXPECT_EQ(elasticsearch_credentials(secrets(), spec).error().code, ErrorCode::kNotFound);
  write("es", "username", "u");
  write("es", "password", "p");
  const auto basic = elasticsearch_credentials(secrets(), spec).value();
  EXPECT_EQ(basic.username + ":" + basic.password + ":" + basic.ca_pem, "u:p:pem");
  write("es", "apiKey", "k");
  EXPECT_EQ(elasticsearch_credentials(secrets(), spec).value().api_key, "k");
}

TEST_F(SecretsTest, Kafka) {
  KafkaSpec spec{.bootstrap_servers = {"kafka:9092"}};
  EXPECT_EQ(kafka_credentials(secrets(), spec).value().encryption, Encryption::kNone);
  spec.credentials_secret_ref = SecretRef{"kafka"};
  spec.ca_secret_ref = SecretKeyRef{"kafka", "ca.crt"};
  write("kafka", "ca.crt", "pem");
  write("kafka", "mechanism", "GSSAPI");
  write("kafka", "username", "u");
  write("kafka", "password", "p");
  EXPECT_EQ(kafka_credentials(secrets(), spec).error().code, ErrorCode::kInvalidArgument);
  write("kafka", "mechanism", "SCRAM-SHA-512");
  const auto credentials = kafka_credentials(secrets(), spec).value();
  EXPECT_EQ(credentials.encryption, Encryption::kTls);
  EXPECT_EQ(credentials.mechanism, "SCRAM-SHA-512");
  EXPECT_EQ(credentials.password, "p");
}

}  // namespace
}  // namespace searchsync::model
