#include "lib/http/router.h"

#include <fmt/core.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "lib/base/check.h"
#include "lib/base/log.h"

namespace searchsync::http {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (;;) {
    const size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

std::vector<std::string> decoded_segments(std::string_view raw_path) {
  std::vector<std::string> segments;
  for (const auto segment : split(raw_path)) segments.push_back(decode_percent(segment));
  return segments;
}

std::string_view name_of(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
  }
  return "";
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Response not_found() {
  return error_response(404, "not_found", "there is nothing at this path");
}

// Runs the handler; what it throws is a bug of ours that must not end the process.
Response run(const Handler& handler, const Request& request) {
  try {
    return handler(request);
  } catch (const std::exception& e) {
    log::error("{} {}: the handler failed: {}", name_of(request.method), request.path, e.what());
  } catch (...) {
    log::error("{} {}: the handler failed", name_of(request.method), request.path);
  }
  return error_response(500, "internal", "the request failed; the server's log says why");
}

}  // namespace

bool is_percent_encoded(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (at + 2 >= text.size() || hex_digit(text[at + 1]) < 0 || hex_digit(text[at + 2]) < 0) {
      return false;
    }
  }
  return true;
}

std::string decode_percent(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      decoded.push_back(text[i]);
    } else {
      decoded.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return decoded;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view target) {
  std::vector<std::pair<std::string, std::string>> query;
  const size_t mark = target.find('?');
  std::string rest(mark == std::string_view::npos ? "" : target.substr(mark + 1));
  std::ranges::replace(rest, '+', ' ');
  for (const auto part : std::views::split(std::string_view(rest), '&')) {
    const std::string_view text(part);
    const size_t equals = std::min(text.find('='), text.size());
    if (text.empty()) continue;
    query.emplace_back(decode_percent(text.substr(0, equals)),
                       decode_percent(text.substr(std::min(equals + 1, text.size()))));
  }
  std::ranges::stable_sort(query, {}, &std::pair<std::string, std::string>::first);
  return query;
}

void Router::add(Method method, std::string_view pattern, Handler handler) {
  CHECK(pattern.starts_with('/') && handler, "route {}", pattern);
  Route route{.method = method, .segments = {}, .literals = 0, .handler = std::move(handler)};
  std::set<std::string> names;
  for (const auto text : split(pattern)) {
    if (text.starts_with('{')) {
      CHECK(text.size() > 2 && text.ends_with('}'), "route {}: segment {}", pattern, text);
      route.segments.push_back({std::string(text.substr(1, text.size() - 2)), true});
      CHECK(names.insert(route.segments.back().text).second, "route {}: a name twice", pattern);
    } else {
      CHECK(text.find_first_of("{}") == std::string_view::npos, "route {}", pattern);
      route.segments.push_back({std::string(text), false});
      ++route.literals;
    }
  }
  CHECK(std::ranges::none_of(routes_,
                             [&](const Route& other) {
                               return other.method == method && other.segments == route.segments;
                             }),
        "route {} twice", pattern);
  const auto place =
      std::ranges::upper_bound(routes_, route.literals, std::greater<>(), &Route::literals);
  routes_.insert(place, std::move(route));
}

bool Router::matches(const Route& route, const std::vector<std::string>& segments) {
  if (route.segments.size() != segments.size()) return false;
  for (size_t i = 0; i < segments.size(); ++i) {
    const auto& [text, is_parameter] = route.segments[i];
    if (is_parameter ? segments[i].empty() : segments[i] != text) return false;
  }
  return true;
}

Response Router::dispatch(Request& request, std::string_view raw_path) const {
  const auto segments = decoded_segments(raw_path);
  std::vector<const Route*> others;
  for (const auto& route : routes_) {
    if (!matches(route, segments)) continue;
    if (route.method != request.method) {
      others.push_back(&route);
      continue;
    }
    for (size_t i = 0; i < segments.size(); ++i) {
      const auto& [text, is_parameter] = route.segments[i];
      if (is_parameter) request.path_parameters.emplace(text, segments[i]);
    }
    return run(route.handler, request);
  }
  return others.empty() ? not_found() : not_allowed(others);
}

Response Router::refuse(std::string_view raw_path) const {
  const auto segments = decoded_segments(raw_path);
  std::vector<const Route*> others;
  for (const auto& route : routes_) {
    if (matches(route, segments)) others.push_back(&route);
  }
  return others.empty() ? not_found() : not_allowed(others);
}

Response Router::not_allowed(const std::vector<const Route*>& candidates) {
  std::string allowed;
  for (const auto* candidate : candidates) {
    const auto name = name_of(candidate->method);
    if (allowed.find(name) != std::string::npos) continue;
    allowed.append(allowed.empty() ? "" : ", ").append(name);
  }
  auto response = error_response(405, "method_not_allowed",
                                 fmt::format("this path answers to {} only", allowed));
  response.headers.emplace_back("Allow", allowed);
  return response;
}

}  // namespace searchsync::http
