#include "lib/http/health.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "lib/base/log.h"
#include "lib/http/server.h"

namespace searchsync::http {

void Health::not_ready(std::string_view name, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  const auto [place, is_new] = reasons_.insert_or_assign(std::string(name), std::string(reason));
  if (is_new) log::info("not ready: {}: {}", name, reason);
}

void Health::ready(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = reasons_.find(name);
  if (found == reasons_.end()) return;
  reasons_.erase(found);
  log::info("ready: {}", name);
}

bool Health::is_ready() const {
  const std::lock_guard lock(mutex_);
  return reasons_.empty();
}

std::string Health::reasons() const {
  const std::lock_guard lock(mutex_);
  std::string lines;
  for (const auto& [name, reason] : reasons_) lines += fmt::format("{}: {}\n", name, reason);
  return lines;
}

void add_operations_routes(Server& server, const metrics::Registry& registry,
                           const Health& health) {
  const auto text = [](int status, std::string body) {
    return Response{.status = status,
                    .content_type = "text/plain; charset=utf-8",
                    .body = std::move(body),
                    .headers = {}};
  };
  server.route(Method::kGet, "/metrics", [&registry](const Request&) {
    return Response{.status = 200,
                    .content_type = "text/plain; version=0.0.4; charset=utf-8",
                    .body = registry.render(),
                    .headers = {}};
  });
  server.route(Method::kGet, "/healthz", [text](const Request&) { return text(200, "ok\n"); });
  server.route(Method::kGet, "/readyz", [text, &health](const Request&) {
    auto reasons = health.reasons();
    return reasons.empty() ? text(200, "ok\n") : text(503, std::move(reasons));
  });
}

Result<void> write_address_file(const std::string& path, std::string_view address) {
  const std::string draft = path + ".new";
  std::ofstream file(draft, std::ios::trunc);
  file << address << '\n';
  file.close();
  if (!file || std::rename(draft.c_str(), path.c_str()) != 0) {
    const int cause = errno;
    std::remove(draft.c_str());
    return fail(ErrorCode::kUnavailable,
                fmt::format("address file {}: {}; name a folder that can be written", path,
                            std::strerror(cause)));
  }
  return {};
}

}  // namespace searchsync::http
