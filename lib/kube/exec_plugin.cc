#include "lib/kube/exec_plugin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "lib/base/base64.h"

extern char** environ;

namespace searchsync::kube {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr size_t kOutputBytesMax = 1 << 20;

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// A program under way; killed if it still runs when this goes.
class Child {
 public:
  static Result<Child> start(const ExecPlugin& plugin, const std::string& info);
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), output_(std::exchange(other.output_, -1)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (output_ >= 0) ::close(output_);
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  // Everything it writes until it closes its output. Nothing if that takes too long.
  std::optional<std::string> read(Clock::time_point deadline) const;
  // Its exit status, or nothing if it does not end in time.
  std::optional<int> wait(Clock::time_point deadline);

 private:
  Child(pid_t pid, int output) : pid_(pid), output_(output) {}
  pid_t pid_;
  int output_;
};

milliseconds left_until(Clock::time_point deadline) {
  return std::max(milliseconds(0),
                  std::chrono::duration_cast<milliseconds>(deadline - Clock::now()));
}

Result<Child> Child::start(const ExecPlugin& plugin, const std::string& info) {
  std::vector<std::string> arguments{plugin.command};
  arguments.insert(arguments.end(), plugin.args.begin(), plugin.args.end());
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  const auto set = [&](const std::string& name, const std::string& value) {
    std::erase_if(variables, [&](const std::string& each) { return each.starts_with(name + "="); });
    variables.push_back(name + "=" + value);
  };
  for (const auto& [name, value] : plugin.env) set(name, value);
  set("KUBERNETES_EXEC_INFO", info);
  const auto pointers = [](std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  };
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return fail(ErrorCode::kUnavailable, fmt::format("no pipe: {}", std::strerror(errno)));
  }
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, pipe[1], STDOUT_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&attributes, &none);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, plugin.command.c_str(), &files, &attributes,
                                   pointers(arguments).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  ::close(pipe[1]);
  if (error == 0) return Child(pid, pipe[0]);
  ::close(pipe[0]);
  return fail(ErrorCode::kNotFound,
              fmt::format("{} cannot be run: {}{}{}", plugin.command, std::strerror(error),
                          plugin.install_hint.empty() ? "" : "; ", plugin.install_hint));
}

std::optional<std::string> Child::read(Clock::time_point deadline) const {
  std::string text;
  std::array<char, 4096> part{};
  while (text.size() <= kOutputBytesMax) {
    pollfd entry{.fd = output_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left_until(deadline).count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    const ssize_t n = ::read(output_, part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(part.data(), static_cast<size_t>(n));
  }
  return text;
}

std::optional<int> Child::wait(Clock::time_point deadline) {
  int status = 0;
  // It has closed its output: this is short.
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (Clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(milliseconds(5));
  }
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<ExecCredential> parse_exec_credential(std::string_view text, const ExecPlugin& plugin) {
  const auto malformed = [&](std::string_view what) {
    return fail(ErrorCode::kMalformed,
                fmt::format("the output of {} {}; it must be an ExecCredential of {}",
                            plugin.command, what, plugin.api_version));
  };
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return malformed("is no JSON object");
  if (text_of(json, "kind") != "ExecCredential" ||
      text_of(json, "apiVersion") != plugin.api_version) {
    return malformed("has another kind or apiVersion");
  }
  const auto status = json.find("status");
  if (status == json.end() || !status->is_object()) return malformed("has no status");
  ExecCredential credential{.token = text_of(*status, "token"),
                            .certificate_pem = text_of(*status, "clientCertificateData"),
                            .key_pem = text_of(*status, "clientKeyData"),
                            .expires = std::nullopt};
  if (credential.certificate_pem.empty() != credential.key_pem.empty()) {
    return malformed("has a client certificate without key, or a key without certificate");
  }
  if (credential.token.empty() && credential.key_pem.empty()) {
    return malformed("has neither token nor client certificate");
  }
  if (const std::string expires = text_of(*status, "expirationTimestamp"); !expires.empty()) {
    credential.expires = parse_rfc3339(expires);
    if (!credential.expires) return malformed("has an expirationTimestamp that is no time");
  }
  return credential;
}

std::string exec_info(const ClusterConfig& config, const std::string& ca_pem) {
  Json spec{{"interactive", false}};
  if (config.exec->provide_cluster_info) {
    Json cluster{{"server", config.server}};
    if (!config.tls_server_name.empty()) cluster["tls-server-name"] = config.tls_server_name;
    if (!ca_pem.empty()) cluster["certificate-authority-data"] = encode_base64(ca_pem);
    spec["cluster"] = cluster;
  }
  return Json{{"apiVersion", config.exec->api_version}, {"kind", "ExecCredential"}, {"spec", spec}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, const std::string& info,
                                       milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  ASSIGN_OR_RETURN(Child child, Child::start(plugin, info));
  const auto late = [&] {
    return fail(ErrorCode::kTimeout,
                fmt::format("{} did not end within {} ms", plugin.command, timeout.count()));
  };
  const auto text = child.read(deadline);
  if (!text) return late();
  if (text->size() > kOutputBytesMax) {
    return fail(ErrorCode::kMalformed, fmt::format("{} writes without end", plugin.command));
  }
  const auto status = child.wait(deadline);
  if (!status) return late();
  if (*status != 0) {
    return fail(ErrorCode::kPermission,
                fmt::format("{} failed with status {}; what it says is on our standard error",
                            plugin.command, *status));
  }
  return parse_exec_credential(*text, plugin);
}

}  // namespace searchsync::kube
