#include "query/faults.h"

#include <fmt/format.h>

#include <utility>

#include "lib/elastic/json_text.h"

namespace searchsync::query {

void Faults::add(std::string_view path, std::string expected) {
  if (list_.size() < kMax) list_.push_back({std::string(path), std::move(expected)});
}

void Faults::refuse(std::string_view path, std::string why) {
  add(path, std::move(why));
  refused_ = true;
}

std::string render(const Faults& faults) {
  std::string message;
  std::string list;
  for (const Fault& fault : faults.list()) {
    if (!message.empty()) message += "; ";
    if (!fault.path.empty()) message += fault.path + ": ";
    message += fault.expected;
    list += list.empty() ? "{\"path\":" : ",{\"path\":";
    elastic::append_quoted(list, fault.path);
    list += ",\"expected\":";
    elastic::append_quoted(list, fault.expected);
    list += '}';
  }
  const std::string_view code = faults.refused() ? "relation_unusable" : "invalid_request";
  std::string body = fmt::format(R"({{"error":{{"code":"{}","message":)", code);
  elastic::append_quoted(body, message);
  return body + ",\"faults\":[" + list + "]}}";
}

}  // namespace searchsync::query
