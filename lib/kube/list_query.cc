#include "lib/kube/list_query.h"

#include <fmt/format.h>

#include "lib/base/check.h"
#include "lib/http/client.h"

namespace searchsync::kube {
namespace {

void add(std::string& query, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  query += query.empty() ? '?' : '&';
  query.append(name).append("=").append(http::percent_encode(value));
}

}  // namespace

std::string list_query(const ListOptions& options) {
  std::string query;
  add(query, "labelSelector", options.label_selector);
  add(query, "fieldSelector", options.field_selector);
  if (options.limit > 0) add(query, "limit", std::to_string(options.limit));
  add(query, "continue", options.continue_token);
  return query;
}

std::string watch_query(const ListOptions& options, std::string_view resource_version,
                        std::chrono::seconds timeout) {
  CHECK(!resource_version.empty());
  std::string query;
  add(query, "watch", "true");
  add(query, "labelSelector", options.label_selector);
  add(query, "fieldSelector", options.field_selector);
  add(query, "resourceVersion", resource_version);
  add(query, "allowWatchBookmarks", "true");
  add(query, "timeoutSeconds", std::to_string(timeout.count()));
  return query;
}

std::string_view list_accept(Content content) {
  switch (content) {
    case Content::kFull:
      return "application/json";
    case Content::kMetadata:
      return "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
  }
  CHECK(false);
}

std::string_view watch_accept(Content content) {
  switch (content) {
    case Content::kFull:
      return "application/json";
    case Content::kMetadata:
      return "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
  }
  CHECK(false);
}

}  // namespace searchsync::kube
