#include "lib/elastic/admin.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/elastic/bulk.h"
#include "lib/elastic/engine_error.h"
#include "lib/http/client.h"

namespace searchsync::elastic {
namespace {

using Json = nlohmann::json;

ErrorCode code_of(int status, std::string_view type) {
  if (type == "resource_already_exists_exception" || status == 409) return ErrorCode::kConflict;
  switch (status) {
    case 401:
    case 403:
      return ErrorCode::kPermission;
    case 404:
      return ErrorCode::kNotFound;
    case 408:
    case 504:
      return ErrorCode::kTimeout;
    case 429:
    case 502:
    case 503:
      return ErrorCode::kUnavailable;
    default:
      return status >= 400 && status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kInternal;
  }
}

// A name is put into a path, where a comma, a wildcard or a leading minus would mean other indices.
Result<void> check_name(std::string_view name) {
  const bool plain =
      !name.empty() && name.size() <= 255 && name[0] != '-' && name[0] != '_' && name[0] != '+' &&
      std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
      });
  if (plain) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" is not the name of an index: lower-case letters, digits, - _ . "
                          "and no - or _ in front",
                          name));
}

Result<void> check_names(std::string_view name) {
  if (name.ends_with('*')) name.remove_suffix(1);
  return check_name(name);
}

Result<Json> parse(const http::ClientResponse& response, std::string_view what) {
  Json json = Json::parse(response.body, nullptr, false);
  if (json.is_object()) return json;
  return fail(ErrorCode::kMalformed, fmt::format("{}: the answer is not a JSON object", what));
}

// The member at `pointer`, if it is of type T.
template <class T>
std::optional<T> member(const Json& json, const char* pointer) {
  const Json::json_pointer place(pointer);
  if (!json.contains(place)) return std::nullopt;
  const Json& value = json.at(place);
  if constexpr (std::is_same_v<T, std::string>) {
    if (value.is_string()) return value.get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (value.is_boolean()) return value.get<bool>();
  } else {
    if (value.is_number_integer()) return value.get<T>();
  }
  return std::nullopt;
}

Result<void> check_shards(const Json& answer, std::string_view what) {
  const auto failed = member<int64_t>(answer, "/_shards/failed");
  if (!failed) return fail(ErrorCode::kMalformed, fmt::format("{}: no _shards", what));
  if (*failed == 0) return {};
  return fail(ErrorCode::kUnavailable, fmt::format("{}: {} shards failed", what, *failed));
}

std::optional<IndexMeta> meta_of(const Json& index) {
  const auto generation = member<int32_t>(index, "/mappings/_meta/searchsync/generation");
  const auto log = member<std::string>(index, "/mappings/_meta/searchsync/documentLog");
  const auto owner = member<std::string>(index, "/mappings/_meta/searchsync/index");
  if (!generation || !log || !owner) return std::nullopt;
  const auto of = member<std::string>(index, "/mappings/_meta/searchsync/partitionOf");
  return IndexMeta{.generation = Generation(*generation),
                   .document_log = *log,
                   .index = *owner,
                   .partition_of = of ? std::optional(IndexName(*of)) : std::nullopt};
}

Result<std::vector<IndexState>> parse_indices(const Json& answer) {
  std::vector<IndexState> states;
  for (const auto& [name, index] : answer.items()) {
    if (!index.is_object() || !index.contains("mappings") || !index.contains("settings")) {
      return fail(ErrorCode::kMalformed,
                  fmt::format("index {}: the answer has no mappings and settings", name));
    }
    IndexState state{.name = IndexName(name),
                     .uuid = member<std::string>(index, "/settings/index.uuid").value_or(""),
                     .meta = meta_of(index),
                     .aliases = {},
                     .narrowed = {},
                     // The engines take it away as the index is opened.
                     .closed = index["settings"].contains("index.verified_before_close"),
                     .mappings = index["mappings"].dump(),
                     .settings = index["settings"].dump()};
    if (index.contains("aliases")) {
      const std::string writes = write_alias(state.name);
      for (const auto& [alias, how] : index["aliases"].items()) {
        const bool narrow = how.contains("filter") || how.contains("index_routing") ||
                            how.contains("search_routing");
        if (alias == writes) {
          state.has_write_alias = true;
          state.writable = !narrow && member<bool>(how, "/is_write_index") != false;
          continue;
        }
        state.aliases.push_back(alias);
        if (narrow) state.narrowed.insert(alias);
      }
    }
    states.push_back(std::move(state));
  }
  std::ranges::sort(states, {}, &IndexState::name);
  return states;
}

std::string join(const std::vector<IndexName>& names) {
  std::string text;
  for (const IndexName& name : names) text += (text.empty() ? "" : ", ") + name.get();
  return text.empty() ? "nothing" : text;
}

}  // namespace

Result<http::ClientResponse> Admin::call(std::string_view method, std::string path,
                                         std::string_view body, std::chrono::milliseconds timeout) {
  http::ClientRequest request{.method = std::string(method),
                              .path = std::move(path),
                              .headers = {},
                              .body = std::string(body),
                              .timeout = timeout};
  if (!body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  ASSIGN_OR_RETURN(http::ClientResponse response, client_.request(request));
  if (response.status >= 200 && response.status < 300) return response;
  const EngineError error = read_engine_error(response.status, response.body);
  return fail(code_of(response.status, error.type),
              fmt::format("{} {}: {} ({})", method, request.path.substr(0, request.path.find('?')),
                          error.text(), response.status));
}

Result<void> Admin::create_index(const IndexName& name, std::string_view body) {
  RETURN_IF_ERROR(check_name(name.get()));
  auto response = call("PUT", "/" + name.get(), body);
  if (!response) {
    // An alias of this name is reported as an invalid name.
    const bool taken = response.error().message.contains("already exists as alias");
    if (taken) return fail(ErrorCode::kConflict, response.error().message);
    return std::unexpected(response.error());
  }
  ASSIGN_OR_RETURN(const Json answer, parse(*response, "create index " + name.get()));
  if (member<bool>(answer, "/acknowledged") == true) return {};
  return fail(ErrorCode::kTimeout,
              fmt::format("index {}: not every node has taken note of it in time", name.get()));
}

Result<IndexState> Admin::get_index(std::string_view name) {
  RETURN_IF_ERROR(check_name(name));
  ASSIGN_OR_RETURN(const auto response,
                   call("GET", fmt::format("/{}?flat_settings=true", name), ""));
  ASSIGN_OR_RETURN(const Json answer, parse(response, fmt::format("get index {}", name)));
  ASSIGN_OR_RETURN(auto states, parse_indices(answer));
  if (states.size() == 1) return std::move(states.front());
  return fail(ErrorCode::kConflict,
              fmt::format("{} leads to {} indices instead of one", name, states.size()));
}

Result<void> Admin::delete_index(const IndexName& name) {
  RETURN_IF_ERROR(check_name(name.get()));
  const auto response = call("DELETE", "/" + name.get(), "");
  if (response || response.error().code == ErrorCode::kNotFound) return {};
  return std::unexpected(response.error());
}

Result<void> Admin::delete_indices(const std::vector<IndexName>& names) {
  return call_many("DELETE", names, "", "");
}

Result<void> Admin::call_many(std::string_view method, const std::vector<IndexName>& names,
                              std::string_view suffix, std::string_view body) {
  for (size_t begin = 0; begin < names.size(); begin += kNamesMax) {
    std::string list;
    for (size_t i = begin; i < std::min(names.size(), begin + kNamesMax); ++i) {
      RETURN_IF_ERROR(check_name(names[i].get()));
      list += (list.empty() ? "" : ",") + names[i].get();
    }
    const auto response =
        call(method, fmt::format("/{}{}?ignore_unavailable=true", list, suffix), body);
    // So says the engine where none of them is there.
    if (!response && response.error().code != ErrorCode::kNotFound) {
      return std::unexpected(response.error());
    }
  }
  return {};
}

Result<std::vector<IndexState>> Admin::list_indices(std::string_view pattern) {
  std::string plain(pattern);
  std::erase(plain, '*');
  RETURN_IF_ERROR(check_name(plain));
  const auto response =
      call("GET", fmt::format("/{}?flat_settings=true&expand_wildcards=open,closed", pattern), "");
  if (!response) {
    if (response.error().code == ErrorCode::kNotFound) return std::vector<IndexState>{};
    return std::unexpected(response.error());
  }
  ASSIGN_OR_RETURN(const Json answer, parse(*response, fmt::format("list indices {}", pattern)));
  return parse_indices(answer);
}

Result<std::vector<IndexName>> Admin::alias_targets(std::string_view alias,
                                                    std::chrono::milliseconds timeout) {
  RETURN_IF_ERROR(check_name(alias));
  const auto response = call("GET", fmt::format("/{}/_alias", alias), "", timeout);
  std::vector<IndexName> targets;
  if (!response) {
    if (response.error().code == ErrorCode::kNotFound) return targets;
    return std::unexpected(response.error());
  }
  ASSIGN_OR_RETURN(const Json answer, parse(*response, fmt::format("alias {}", alias)));
  for (const auto& [name, _] : answer.items()) {
    if (name == alias) {
      return fail(ErrorCode::kConflict,
                  fmt::format("{0} is an index, so there can be no alias {0}: delete it, or make "
                              "the SearchIndex anew with another indexName",
                              alias));
    }
    targets.emplace_back(name);
  }
  std::ranges::sort(targets);
  return targets;
}

Result<void> Admin::swap_alias(std::string_view alias, std::vector<IndexName> from,
                               const IndexName& to, std::chrono::milliseconds timeout) {
  RETURN_IF_ERROR(check_name(to.get()));
  ASSIGN_OR_RETURN(const auto targets, alias_targets(alias, timeout));
  std::ranges::sort(from);
  if (targets == std::vector{to} && targets != from) return {};
  if (targets != from) {
    return fail(ErrorCode::kConflict,
                fmt::format("alias {} leads to {}, not to {}", alias, join(targets), join(from)));
  }
  Json actions = Json::array();
  for (const IndexName& one : from) {
    if (one == to) continue;
    actions.push_back({{"remove", {{"index", one.get()}, {"alias", alias}, {"must_exist", true}}}});
  }
  actions.push_back({{"add", {{"index", to.get()}, {"alias", alias}}}});
  return update_aliases(Json{{"actions", actions}}.dump(), alias, timeout);
}

Result<void> Admin::move_readers(const ReadersMove& move, std::chrono::milliseconds timeout) {
  RETURN_IF_ERROR(check_name(move.to.get()));
  ASSIGN_OR_RETURN(auto targets, alias_targets(move.alias, timeout));
  ASSIGN_OR_RETURN(
      const auto aliases,
      call("GET", fmt::format("/{}-*/_alias?expand_wildcards=open,closed,hidden", move.alias), "",
           timeout));
  ASSIGN_OR_RETURN(const auto body, readers_actions(move, std::move(targets), aliases.body));
  return body.empty() ? Result<void>() : update_aliases(body, move.alias, timeout);
}

Result<void> Admin::update_aliases(std::string_view body, std::string_view alias,
                                   std::chrono::milliseconds timeout) {
  ASSIGN_OR_RETURN(
      const auto response,
      call("POST", fmt::format("/_aliases?master_timeout={0}ms&timeout={0}ms", timeout.count()),
           body, 2 * timeout));
  ASSIGN_OR_RETURN(const Json answer, parse(response, "move alias"));
  if (member<bool>(answer, "/acknowledged") == true) return {};
  return fail(ErrorCode::kTimeout,
              fmt::format("alias {}: not every node has taken note of it in time", alias));
}

Result<void> Admin::put_write_alias(const IndexName& name) {
  RETURN_IF_ERROR(check_name(name.get()));
  const Json action = {
      {"add", {{"index", name.get()}, {"alias", write_alias(name)}, {"is_hidden", true}}}};
  RETURN_IF_ERROR(call("POST", "/_aliases", Json{{"actions", Json::array({action})}}.dump()));
  return {};
}

Result<void> Admin::update_settings(const IndexName& name, std::string_view settings) {
  RETURN_IF_ERROR(check_name(name.get()));
  RETURN_IF_ERROR(call("PUT", fmt::format("/{}/_settings", name.get()), settings));
  return {};
}

Result<void> Admin::update_settings(const std::vector<IndexName>& names,
                                    std::string_view settings) {
  return call_many("PUT", names, "/_settings", settings);
}

Result<void> Admin::update_mappings(const IndexName& name, std::string_view mappings) {
  RETURN_IF_ERROR(check_name(name.get()));
  RETURN_IF_ERROR(call("PUT", fmt::format("/{}/_mapping", name.get()), mappings));
  return {};
}

Result<void> Admin::update_mappings(const std::vector<IndexName>& names,
                                    std::string_view mappings) {
  return call_many("PUT", names, "/_mapping", mappings);
}

Result<int64_t> Admin::count(std::string_view name) {
  RETURN_IF_ERROR(check_name(name));
  ASSIGN_OR_RETURN(const auto response, call("GET", fmt::format("/{}/_count", name), ""));
  const std::string what = fmt::format("count {}", name);
  ASSIGN_OR_RETURN(const Json answer, parse(response, what));
  RETURN_IF_ERROR(check_shards(answer, what));
  const auto count = member<int64_t>(answer, "/count");
  if (!count) return fail(ErrorCode::kMalformed, what + ": no count");
  return *count;
}

Result<void> Admin::refresh(std::string_view name) {
  RETURN_IF_ERROR(check_names(name));
  ASSIGN_OR_RETURN(const auto response, call("POST", fmt::format("/{}/_refresh", name), ""));
  const std::string what = fmt::format("refresh {}", name);
  ASSIGN_OR_RETURN(const Json answer, parse(response, what));
  return check_shards(answer, what);
}

Result<ClusterHealth> Admin::cluster_health() {
  ASSIGN_OR_RETURN(const auto response, call("GET", "/_cluster/health", ""));
  ASSIGN_OR_RETURN(const Json answer, parse(response, "cluster health"));
  const std::string status = member<std::string>(answer, "/status").value_or("");
  ClusterHealth health;
  if (status == "green") {
    health.status = HealthStatus::kGreen;
  } else if (status == "yellow") {
    health.status = HealthStatus::kYellow;
  } else if (status != "red") {
    return fail(ErrorCode::kMalformed, fmt::format("cluster health: status \"{}\"", status));
  }
  health.cluster_name = member<std::string>(answer, "/cluster_name").value_or("");
  health.data_nodes = member<int32_t>(answer, "/number_of_data_nodes").value_or(0);
  health.unassigned_shards = member<int32_t>(answer, "/unassigned_shards").value_or(0);
  return health;
}

Result<std::string> Admin::search_at(const std::string& path, std::string_view body,
                                     std::chrono::milliseconds timeout) {
  ASSIGN_OR_RETURN(auto response, call("POST", path, body, timeout));
  ASSIGN_OR_RETURN(const Json answer, parse(response, "search"));
  RETURN_IF_ERROR(check_shards(answer, "search"));
  if (member<bool>(answer, "/timed_out") != false) {
    return fail(ErrorCode::kTimeout, "search: the engine gave up");
  }
  return std::move(response.body);
}

Result<std::string> Admin::search(std::string_view name, std::string_view body,
                                  std::chrono::milliseconds timeout) {
  RETURN_IF_ERROR(check_names(name));
  return search_at(fmt::format("/{}/_search?allow_partial_search_results=false", name), body,
                   timeout);
}

Result<std::string> Admin::search_point_in_time(std::string_view body,
                                                std::chrono::milliseconds timeout) {
  return search_at("/_search?allow_partial_search_results=false", body, timeout);
}

Result<std::string> Admin::open_point_in_time(std::string_view name,
                                              std::chrono::seconds keep_alive) {
  RETURN_IF_ERROR(check_name(name));
  ASSIGN_OR_RETURN(const auto response,
                   call("POST", dialect_.open_point_in_time_path(name, keep_alive), ""));
  ASSIGN_OR_RETURN(const Json answer, parse(response, "open point in time"));
  const std::string pointer = "/" + std::string(dialect_.point_in_time_id_member());
  const auto id = member<std::string>(answer, pointer.c_str());
  if (!id) return fail(ErrorCode::kMalformed, "open point in time: no id");
  return *id;
}

Result<void> Admin::close_point_in_time(std::string_view id) {
  const auto response =
      call("DELETE", dialect_.close_point_in_time_path(), dialect_.close_point_in_time_body(id));
  if (response || response.error().code == ErrorCode::kNotFound) return {};
  return std::unexpected(response.error());
}

Result<Dialect> detect(http::Client& client) {
  ASSIGN_OR_RETURN(const auto response, client.request({.method = "GET", .path = "/"}));
  if (response.status != 200) {
    return fail(code_of(response.status, ""),
                fmt::format("GET /: the search engine answered {}: {}", response.status,
                            read_engine_error(response.status, response.body).text()));
  }
  return parse_banner(response.body);
}

}  // namespace searchsync::elastic
