#include "lib/kube/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "lib/base/check.h"
#include "lib/base/token_bucket.h"
#include "lib/kube/list_query.h"

namespace searchsync::kube {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

constexpr std::string_view kJson = "application/json";

std::string_view path_of(Subresource subresource) {
  switch (subresource) {
    case Subresource::kNone:
      return "";
    case Subresource::kStatus:
      return "/status";
    case Subresource::kScale:
      return "/scale";
  }
  CHECK(false);
}

std::string_view name_of(Propagation propagation) {
  switch (propagation) {
    case Propagation::kBackground:
      return "Background";
    case Propagation::kForeground:
      return "Foreground";
    case Propagation::kOrphan:
      return "Orphan";
  }
  CHECK(false);
}

std::unexpected<ApiError> malformed(std::string_view what, std::string_view problem) {
  return std::unexpected(
      to_api_error(Error{ErrorCode::kMalformed, fmt::format("{}: the answer {}", what, problem)}));
}

std::string member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

struct Client::Impl {
  Impl(Transport& to, ClientOptions chosen)
      : transport(to), options(std::move(chosen)), bucket(options.qps, options.burst) {}

  Transport& transport;
  const ClientOptions options;

  std::mutex mutex;
  TokenBucket bucket;  // guarded by mutex

  void wait_turn();
  ApiResult<std::string> call(std::string_view method, std::string path, std::string_view body,
                              std::string_view content_type, std::string_view accept = kJson);
};

Client::Client(Transport& transport, ClientOptions options)
    : impl_(std::make_unique<Impl>(transport, std::move(options))) {}
Client::~Client() = default;

void Client::Impl::wait_turn() {
  std::chrono::nanoseconds wait{0};
  {
    const std::lock_guard lock(mutex);
    wait = bucket.take(Clock::now());
  }
  if (wait.count() > 0) std::this_thread::sleep_for(wait);
}

ApiResult<std::string> Client::Impl::call(std::string_view method, std::string path,
                                          std::string_view body, std::string_view content_type,
                                          std::string_view accept) {
  http::ClientRequest request{
      .method = std::string(method),
      .path = std::move(path),
      .headers = {{"Accept", std::string(accept)}, {"User-Agent", options.user_agent}},
      .body = std::string(body),
      .timeout = options.timeout};
  if (!body.empty()) request.headers.push_back({"Content-Type", std::string(content_type)});
  std::chrono::milliseconds waited{0};
  for (int attempt = 0;; ++attempt) {
    wait_turn();
    auto response = transport.send(request);
    if (!response) return std::unexpected(to_api_error(response.error()));
    if (response->status >= 200 && response->status < 300) return std::move(response->body);
    const auto what = fmt::format("{} {}", method, request.path.substr(0, request.path.find('?')));
    ApiError error =
        read_api_error(what, response->status, response->body, response->header("retry-after"));
    // A 429 says that nothing was done.
    const std::chrono::milliseconds wait = error.retry_after.value_or(std::chrono::seconds(1));
    waited += wait;
    if (error.reason != ApiReason::kTooManyRequests || attempt >= options.retries_max ||
        waited > options.retry_wait_max) {
      return std::unexpected(std::move(error));
    }
    std::this_thread::sleep_for(wait);
  }
}

ApiResult<std::string> Client::get(const ResourceType& type, const ObjectKey& key) {
  return impl_->call("GET", object_path(type, key), "", "");
}

ApiResult<std::string> Client::get_raw(std::string_view path) {
  return impl_->call("GET", std::string(path), "", "");
}

ApiResult<ListPage> Client::list(const ResourceType& type, const ListOptions& options) {
  const std::string path = collection_path(type, options.namespace_);
  ASSIGN_OR_RETURN(const std::string body, impl_->call("GET", path + list_query(options), "", "",
                                                       list_accept(options.content)));
  const std::string what = "GET " + path;
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("metadata") || !json["metadata"].is_object()) {
    return malformed(what, "is no list");
  }
  const Json& metadata = json["metadata"];
  ListPage page{.items = {},
                .resource_version = member(metadata, "resourceVersion"),
                .continue_token = member(metadata, "continue")};
  const auto items = json.find("items");
  if (items == json.end() || items->is_null()) return page;
  if (!items->is_array()) return malformed(what, "has items that are no array");
  for (const Json& item : *items) page.items.push_back(item.dump());
  return page;
}

ApiResult<std::string> Client::create(const ResourceType& type, std::string_view in_namespace,
                                      std::string_view object) {
  CHECK(type.scope == Scope::kCluster || !in_namespace.empty(), "{} need a namespace", type.name());
  return impl_->call("POST", collection_path(type, in_namespace), object, kJson);
}

ApiResult<std::string> Client::replace(const ResourceType& type, const ObjectKey& key,
                                       std::string_view object, Subresource subresource) {
  return impl_->call("PUT", object_path(type, key).append(path_of(subresource)), object, kJson);
}

ApiResult<std::string> Client::apply(const ResourceType& type, const ObjectKey& key,
                                     std::string_view object, const ApplyOptions& options,
                                     Subresource subresource) {
  CHECK(!options.field_manager.empty());
  const std::string path =
      fmt::format("{}{}?fieldManager={}{}{}", object_path(type, key), path_of(subresource),
                  http::percent_encode(options.field_manager),
                  options.ownership == Ownership::kForce ? "&force=true" : "",
                  options.dry_run == DryRun::kYes ? "&dryRun=All" : "");
  // JSON is YAML.
  return impl_->call("PATCH", path, object, "application/apply-patch+yaml");
}

ApiResult<std::string> Client::merge_patch(const ResourceType& type, const ObjectKey& key,
                                           std::string_view patch, DryRun dry_run) {
  return impl_->call("PATCH",
                     object_path(type, key).append(dry_run == DryRun::kYes ? "?dryRun=All" : ""),
                     patch, "application/merge-patch+json");
}

ApiResult<void> Client::remove(const ResourceType& type, const ObjectKey& key,
                               const DeleteOptions& options) {
  Json body{{"apiVersion", "v1"},
            {"kind", "DeleteOptions"},
            {"propagationPolicy", name_of(options.propagation)}};
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (!options.resource_version.empty()) {
    body["preconditions"]["resourceVersion"] = options.resource_version;
  }
  RETURN_IF_ERROR(impl_->call("DELETE", object_path(type, key), body.dump(), kJson));
  return {};
}

}  // namespace searchsync::kube
