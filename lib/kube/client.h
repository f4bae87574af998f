#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/kube/api_error.h"
#include "lib/kube/resource.h"
#include "lib/kube/transport.h"

namespace searchsync::kube {

struct ClientOptions {
  std::chrono::milliseconds timeout{30'000};  // of each request
  // A bucket of `burst` requests is filled again by `qps` each second; who finds it empty waits.
  double qps = 50;
  int burst = 100;
  // How often a request that was refused by 429 is sent again, and for how long in all it may wait
  // for that: the server's Retry-After is kept to, or the 429 is returned.
  int retries_max = 3;
  std::chrono::milliseconds retry_wait_max{10'000};
  std::string user_agent = "searchsync";
};

enum class Content { kFull, kMetadata };

struct ListOptions {
  std::string namespace_;  // empty: all
  std::string label_selector;
  std::string field_selector;
  int limit = 500;             // of a page; 0: all at once
  std::string continue_token;  // of the page before
  Content content = Content::kFull;
};

struct ListPage {
  std::vector<std::string> items;  // JSON; items of built-in types lack apiVersion and kind
  std::string resource_version;    // of the collection; the same on every page
  std::string continue_token;      // empty: this was the last page
};

// kYes: the server says what would become of the object, or why it refuses, and changes nothing.
enum class DryRun { kNo, kYes };

// Whether another manager's fields are taken over or are a kConflict.
enum class Ownership { kKeep, kForce };

struct ApplyOptions {
  std::string field_manager = "searchsync";
  Ownership ownership = Ownership::kForce;
  DryRun dry_run = DryRun::kNo;
};

enum class Propagation { kBackground, kForeground, kOrphan };

struct DeleteOptions {
  Propagation propagation = Propagation::kBackground;
  // The object is deleted only if it is still this one, else kConflict. Empty: whatever it is.
  std::string uid;
  std::string resource_version;
};

enum class Subresource { kNone, kStatus, kScale };

// Calls wait for the server's answer. Thread-safe. Objects go in and come out as JSON; what is
// returned is the object as it is after the call.
//
// Errors: see ApiReason. After kTimeout and kUnavailable a write may have been carried out. An
// object of the wrong form is the server's kInvalid or kBadRequest, not ours.
class Client {
 public:
  // `transport` must outlive this. Several clients may share one, each with limits of its own.
  explicit Client(Transport& transport, ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  ApiResult<std::string> get(const ResourceType& type, const ObjectKey& key);

  // Pages of one listing show one state of the collection. kExpired: begin again without a token.
  ApiResult<ListPage> list(const ResourceType& type, const ListOptions& options);

  // kAlreadyExists. in_namespace: empty for what has none.
  ApiResult<std::string> create(const ResourceType& type, std::string_view in_namespace,
                                std::string_view object);

  // Writes the whole object. With metadata.resourceVersion in it: kConflict if there is a newer
  // one.
  ApiResult<std::string> replace(const ResourceType& type, const ObjectKey& key,
                                 std::string_view object,
                                 Subresource subresource = Subresource::kNone);

  // Server-side apply: makes the object have these fields, and takes away those that this manager
  // applied before and are not in it any more. Creates the object unless for a subresource.
  // object: JSON with apiVersion, kind and metadata.name.
  ApiResult<std::string> apply(const ResourceType& type, const ObjectKey& key,
                               std::string_view object, const ApplyOptions& options = {},
                               Subresource subresource = Subresource::kNone);

  // RFC 7396.
  ApiResult<std::string> merge_patch(const ResourceType& type, const ObjectKey& key,
                                     std::string_view patch, DryRun dry_run = DryRun::kNo);

  // kNotFound if it was not there. With finalizers or kForeground it is still there after this,
  // with a deletionTimestamp.
  ApiResult<void> remove(const ResourceType& type, const ObjectKey& key,
                         const DeleteOptions& options = {});

  // The answer to GET `path` ("/version", "/apis/searchsync.io"), as it is.
  ApiResult<std::string> get_raw(std::string_view path);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::kube
