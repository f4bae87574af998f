#include "query/ask.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/utf8.h"
#include "lib/model/json.h"

namespace searchsync::query {

void Ask::set(std::string name, model::Node value) {
  std::get<model::Node::Mapping>(rest.value)
      .push_back({.key = std::move(name), .position = {}, .value = std::move(value)});
}

std::optional<Ask> read_body(std::string_view body, const Names& members, Faults& faults) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) body = "{}";
  auto parsed = body.size() > kBodyBytesMax
                    ? fail(ErrorCode::kLimit, fmt::format("at most {} bytes", kBodyBytesMax))
                    : model::parse_json(body);
  if (!parsed) {
    // The message repeats what was read, which may be anything: only ASCII is sure to be text.
    std::string message = parsed.error().message;
    std::ranges::replace_if(
        message, [](char c) { return static_cast<signed char>(c) < 0; }, '?');
    faults.add("", std::move(message));
    return std::nullopt;
  }
  if (parsed->mapping() == nullptr) {
    faults.add("", "a JSON object");
    return std::nullopt;
  }
  check_members(*parsed, "", members, faults);
  Ask ask;
  for (auto& [name, position, value] : std::get<model::Node::Mapping>(parsed->value)) {
    if (name == "filter") {
      ask.filters.push_back({"filter", std::move(value)});
    } else {
      ask.set(std::move(name), std::move(value));
    }
  }
  return ask;
}

void check_members(const model::Node& object, std::string_view path, const Names& allowed,
                   Faults& faults) {
  for (const model::Node::Entry& entry : *object.mapping()) {
    if (std::ranges::find(allowed, entry.key) != allowed.end()) continue;
    faults.add(fmt::format("{}{}{}", path, path.empty() ? "" : ".", cut_utf8(entry.key, 32)),
               fmt::format("nothing; only {} belong here", fmt::join(allowed, ", ")));
  }
}

}  // namespace searchsync::query
