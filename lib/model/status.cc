#include "lib/model/status.h"

#include <nlohmann/json.hpp>

#include "lib/base/utf8.h"
#include "lib/model/json.h"
#include "lib/model/status_schema.h"

namespace searchsync::model {
namespace {

std::string as_utf8(const std::string& text) {
  using nlohmann::json;
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string cut(const std::string& text) {
  constexpr std::string_view kMore = "…";
  std::string out = as_utf8(text);
  if (out.size() <= kStatusMessageBytesMax) return out;
  out.resize(cut_utf8(out, kStatusMessageBytesMax - kMore.size()).size());
  out += kMore;
  return out;
}

template <class Status>
std::string write_status(const Typed<Status>& type, Status status) {
  status.message = cut(status.message);
  for (Condition& condition : status.conditions) condition.message = cut(condition.message);
  return to_json(write(type, status));
}

template <class Status>
Result<Status> parse_status(const Typed<Status>& type, std::string_view json) {
  ASSIGN_OR_RETURN(const Node node, parse_json(json));
  if (node.mapping() == nullptr) {
    return fail(ErrorCode::kMalformed, "a status is an object, not " + describe(node));
  }
  return parse(type, "", node).value;
}

}  // namespace

std::string to_json(const SearchIndexStatus& status) {
  return write_status(status_types().search_index, status);
}

std::string to_json(const SourceBindingStatus& status) {
  return write_status(status_types().source_binding, status);
}

Result<SearchIndexStatus> parse_search_index_status(std::string_view json) {
  auto status = parse_status(status_types().search_index, json);
  // What could not be read.
  if (status && status->notes && status->notes->text.empty()) status->notes.reset();
  return status;
}

Result<SourceBindingStatus> parse_source_binding_status(std::string_view json) {
  return parse_status(status_types().source_binding, json);
}

}  // namespace searchsync::model
