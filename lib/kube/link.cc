#include "lib/kube/link.h"

#include "lib/metrics/registry.h"

namespace searchsync::kube {
namespace {

constexpr size_t kResponseBytesMax = size_t{64} << 20;

bool is_secret(const ClusterConfig& config) {
  return config.server.starts_with("https://");
}

}  // namespace

http::ClientOptions link_options(const ClusterConfig& config, const Credentials::Current& current) {
  http::ClientOptions options{.base_urls = {config.server},
                              .response_bytes_max = kResponseBytesMax};
  if (!is_secret(config)) return options;
  options.ca_pem = current.ca_pem;
  options.certificate_pem = current.certificate_pem;
  options.key_pem = current.key_pem;
  options.tls_server_name = config.tls_server_name;
  return options;
}

void authorize(http::ClientRequest& request, const ClusterConfig& config,
               const Credentials::Current& current) {
  if (!is_secret(config) || current.token.empty()) return;
  request.headers.push_back({"Authorization", "Bearer " + current.token});
}

std::string host_of(std::string_view server) {
  const size_t scheme = server.find("://");
  if (scheme != std::string_view::npos) server.remove_prefix(scheme + 3);
  return std::string(server.substr(0, server.find('/')));
}

void count_request(metrics::Registry& registry, std::string_view host, std::string_view method,
                   int status) {
  registry
      .counter("rest_client_requests_total",
               "Number of HTTP requests, partitioned by status code, method, and host.",
               {{"code", status == 0 ? "<error>" : std::to_string(status)},
                {"method", std::string(method)},
                {"host", std::string(host)}})
      .add();
}

}  // namespace searchsync::kube
