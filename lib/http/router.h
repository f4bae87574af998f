#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http/server.h"

namespace searchsync::http {

// The routes of a server. Pure; const functions may be called from any thread.
class Router {
 public:
  // Errors are bugs: see Server::route().
  void add(Method method, std::string_view pattern, Handler handler);

  // The answer to `request`, whose path parameters this fills in. `raw_path` is the path as it was
  // sent, still percent-encoded, so that an encoded slash does not split a segment.
  Response dispatch(Request& request, std::string_view raw_path) const;
  // For a method that is none of ours: 405, or 404 if nothing is there at all.
  Response refuse(std::string_view raw_path) const;

 private:
  struct Segment {
    std::string text;  // literal, or the parameter's name
    bool is_parameter = false;
    friend bool operator==(const Segment&, const Segment&) = default;
  };
  struct Route {
    Method method;
    std::vector<Segment> segments;
    size_t literals = 0;
    Handler handler;
  };

  static bool matches(const Route& route, const std::vector<std::string>& segments);
  static Response not_allowed(const std::vector<const Route*>& candidates);

  std::vector<Route> routes_;  // those with the most literal segments first
};

// Decodes %XX; what is not of that form stays as it is.
// Whether each % stands before two hexadecimal digits.
bool is_percent_encoded(std::string_view text);
std::string decode_percent(std::string_view text);

// What is behind the '?' of a request's target, decoded and in order of name; those of one name in
// the order they came in. A value begins behind the first '=', and may hold more of them.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view target);

}  // namespace searchsync::http
