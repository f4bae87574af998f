#include "lib/kube/credentials.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <mutex>
#include <optional>
#include <utility>

#include "lib/base/log.h"
#include "lib/kube/exec_plugin.h"
#include "lib/kube/read_file.h"

namespace searchsync::kube {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLookPeriod{1};
constexpr std::chrono::seconds kReadPeriod{60};

// Tells a file from another that has been put in its place.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t size = 0;
  int64_t seconds = 0;
  int64_t nanoseconds = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

std::optional<FileIdentity> identify(const std::filesystem::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return FileIdentity{.device = found.st_dev,
                      .inode = found.st_ino,
                      .size = found.st_size,
                      .seconds = found.st_mtim.tv_sec,
                      .nanoseconds = found.st_mtim.tv_nsec};
}

enum class Look { kIfReplaced, kInAnyCase };

// A Material as it is at the moment.
class Watched {
 public:
  explicit Watched(Material material)
      : material_(std::move(material)), text_(material_.file.empty() ? material_.text : "") {}

  const std::string& text() const { return text_; }

  Result<void> refresh(Look look) {
    if (material_.file.empty()) return {};
    const auto identity = identify(material_.file);
    if (read_ && look == Look::kIfReplaced && identity && identity == identity_) return {};
    auto text = read_file(material_.file);
    if (text && !text->empty()) {
      text_ = std::move(*text);
      identity_ = identity;
      read_ = true;
      return {};
    }
    const std::string problem = text ? material_.file.string() + " is empty" : text.error().message;
    if (!read_) return fail(text ? ErrorCode::kInvalidArgument : text.error().code, problem);
    if (identity_) log::warning("credentials: {}; what was read before is used", problem);
    identity_.reset();  // warned once, and tried again each time
    return {};
  }

 private:
  const Material material_;
  std::string text_;
  std::optional<FileIdentity> identity_;
  bool read_ = false;
};

Result<std::string> clean_token(std::string token, const std::string& origin) {
  const size_t last = token.find_last_not_of(" \t\r\n");
  token.resize(last == std::string::npos ? 0 : last + 1);
  token.erase(0, std::min(token.find_first_not_of(" \t\r\n"), token.size()));
  for (const char c : token) {
    if (c > ' ' && c != '\x7f') continue;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: the token has spaces or line breaks inside", origin));
  }
  return token;
}

}  // namespace

struct Credentials::Impl {
  explicit Impl(ClusterConfig given)
      : config(std::move(given)),
        ca(config.ca),
        certificate(config.client_certificate),
        key(config.client_key),
        token(config.token) {}

  const ClusterConfig config;

  std::mutex mutex;
  // Guarded by mutex.
  Watched ca;
  Watched certificate;
  Watched key;
  Watched token;
  std::optional<ExecCredential> granted;
  std::shared_ptr<const Current> now_valid;
  std::optional<Error> exec_failure;  // kept until the next look
  std::optional<Clock::time_point> looked;
  std::optional<Clock::time_point> read;
  std::optional<Clock::time_point> rejected_at;
  bool is_rejected = false;

  bool expired() const {
    return granted && granted->expires && std::chrono::system_clock::now() >= *granted->expires;
  }
  Result<void> refresh(Look look);
  Result<void> run_exec(Look look);
  Result<Current> assemble() const;
};

Credentials::Credentials(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Credentials::~Credentials() = default;

Result<std::unique_ptr<Credentials>> Credentials::create(ClusterConfig config) {
  auto made =
      std::unique_ptr<Credentials>(new Credentials(std::make_unique<Impl>(std::move(config))));
  RETURN_IF_ERROR(made->current());
  return made;
}

const ClusterConfig& Credentials::config() const {
  return impl_->config;
}

Result<void> Credentials::Impl::run_exec(Look look) {
  if (!config.exec) return {};
  if (granted && look == Look::kIfReplaced && !expired()) return {};
  auto result = run_exec_plugin(*config.exec, exec_info(config, ca.text()), kExecTimeout);
  if (!result) {
    exec_failure = result.error();
    return std::unexpected(std::move(result).error());
  }
  granted = std::move(*result);
  return {};
}

Result<void> Credentials::Impl::refresh(Look look) {
  for (Watched* each : {&ca, &certificate, &key, &token}) RETURN_IF_ERROR(each->refresh(look));
  return {};
}

Result<Credentials::Current> Credentials::Impl::assemble() const {
  Current made{.ca_pem = ca.text(), .certificate_pem = certificate.text(), .key_pem = key.text()};
  std::string secret = token.text();
  if (granted) {
    if (!granted->token.empty()) secret = granted->token;
    if (!granted->key_pem.empty()) {
      made.certificate_pem = granted->certificate_pem;
      made.key_pem = granted->key_pem;
    }
  }
  ASSIGN_OR_RETURN(made.token, clean_token(std::move(secret), config.origin));
  return made;
}

Result<std::shared_ptr<const Credentials::Current>> Credentials::current() {
  Impl& self = *impl_;
  const std::lock_guard lock(self.mutex);
  const auto now = Clock::now();
  const bool recent = self.looked && now - *self.looked < kLookPeriod;
  const bool forced = std::exchange(self.is_rejected, false);
  if (recent && !forced) {
    if (self.exec_failure) return std::unexpected(*self.exec_failure);
    if (self.now_valid) return self.now_valid;
  }
  self.looked = now;
  self.exec_failure.reset();
  const bool due = forced || !self.read || now - *self.read >= kReadPeriod;
  if (due) self.read = now;
  RETURN_IF_ERROR(self.refresh(due ? Look::kInAnyCase : Look::kIfReplaced));
  RETURN_IF_ERROR(self.run_exec(forced ? Look::kInAnyCase : Look::kIfReplaced));
  ASSIGN_OR_RETURN(Current made, self.assemble());
  const Current before = self.now_valid ? *self.now_valid : Current{};
  const bool same_tls = self.now_valid && before.ca_pem == made.ca_pem &&
                        before.certificate_pem == made.certificate_pem &&
                        before.key_pem == made.key_pem;
  if (same_tls && before.token == made.token) return self.now_valid;
  made.revision = before.revision + 1;
  made.tls_revision = before.tls_revision + (same_tls ? 0 : 1);
  self.now_valid = std::make_shared<const Current>(std::move(made));
  return self.now_valid;
}

void Credentials::rejected(uint64_t revision) {
  Impl& self = *impl_;
  const std::lock_guard lock(self.mutex);
  const auto now = Clock::now();
  if (self.now_valid && self.now_valid->revision != revision) return;  // there are newer ones
  if (self.rejected_at && now - *self.rejected_at < kRejectedPause) return;
  self.rejected_at = now;
  self.is_rejected = true;
}

}  // namespace searchsync::kube
