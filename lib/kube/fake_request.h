#pragma once

// What a request asks of FakeApiServer. For fake_api_*.cc only.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/kube/fake_api_store.h"

namespace searchsync::kube {

struct FakeRequest {
  FakeSelector which;
  std::string name;  // empty: a collection
  std::string subresource;
  std::map<std::string, std::string> query;
  bool metadata_only = false;

  bool is_watch() const { return query.contains("watch"); }
  std::string parameter(const std::string& of) const {
    const auto found = query.find(of);
    return found == query.end() ? std::string() : found->second;
  }
};

// Nothing if it leads to none of the store's types.
std::optional<FakeRequest> parse_fake_request(const http::ClientRequest& request,
                                              const FakeApiStore& store);

// What is wrong with a GET that a client of ours sends; empty: nothing.
std::string find_violation(const http::ClientRequest& request, const FakeRequest& parsed);

}  // namespace searchsync::kube
