#include "lib/kube/fake_request.h"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

namespace searchsync::kube {
namespace {

std::string decode(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      plain += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(by), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string header(const http::ClientRequest& request, std::string_view name) {
  for (const http::ClientHeader& header : request.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

}  // namespace

std::optional<FakeRequest> parse_fake_request(const http::ClientRequest& request,
                                              const FakeApiStore& store) {
  FakeRequest parsed;
  const size_t mark = std::min(request.path.find('?'), request.path.size());
  for (const std::string& pair : split(std::string_view(request.path).substr(mark), '&')) {
    const std::string plain = pair.front() == '?' ? pair.substr(1) : pair;
    const size_t equals = std::min(plain.find('='), plain.size());
    parsed.query[decode(plain.substr(0, equals))] =
        decode(plain.substr(std::min(equals + 1, plain.size())));
  }
  std::vector<std::string> parts = split(std::string_view(request.path).substr(0, mark), '/');
  for (std::string& part : parts) part = decode(part);
  const auto take = [&] {
    if (parts.empty()) return std::string();
    std::string first = parts.front();
    parts.erase(parts.begin());
    return first;
  };
  const std::string root = take();
  if (root != "api" && root != "apis") return std::nullopt;
  const std::string group = root == "apis" ? take() : "";
  const std::string version = take();
  if (!parts.empty() && parts.front() == "namespaces" && parts.size() > 2) {
    take();
    parsed.which.namespace_ = take();
  }
  const auto type = store.find_type(group, version, take());
  if (!type) return std::nullopt;
  parsed.which.type = *type;
  parsed.name = take();
  parsed.subresource = take();
  if (!parts.empty()) return std::nullopt;
  parsed.which.labels = parsed.parameter("labelSelector");
  parsed.which.fields = parsed.parameter("fieldSelector");
  parsed.metadata_only =
      header(request, "Accept").find("as=PartialObjectMetadata") != std::string::npos;
  return parsed;
}

std::string find_violation(const http::ClientRequest& request, const FakeRequest& parsed) {
  static const std::set<std::string> known{
      "watch", "labelSelector", "fieldSelector",       "resourceVersion",
      "limit", "continue",      "allowWatchBookmarks", "timeoutSeconds"};
  for (const auto& [name, value] : parsed.query) {
    if (!known.contains(name)) return fmt::format("the parameter {} is not known", name);
    if (value.empty()) return fmt::format("the parameter {} is empty", name);
  }
  const std::string accept = header(request, "Accept");
  const std::string list = parsed.is_watch() ? "" : "List";
  if (accept != "application/json" &&
      accept != "application/json;as=PartialObjectMetadata" + list + ";g=meta.k8s.io;v=v1") {
    return fmt::format("only other media types are accepted than {}", accept);
  }
  if (!parsed.is_watch()) return {};
  if (parsed.parameter("resourceVersion").empty()) return "a watch from nowhere";
  if (parsed.parameter("allowWatchBookmarks") != "true") return "a watch without bookmarks";
  const int timeout = std::atoi(parsed.parameter("timeoutSeconds").c_str());
  if (timeout < 300 || timeout > 600) return fmt::format("a watch of {} s", timeout);
  return {};
}

}  // namespace searchsync::kube
