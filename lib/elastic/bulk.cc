#include "lib/elastic/bulk.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <array>
#include <charconv>
#include <optional>

#include "lib/base/check.h"
#include "lib/elastic/engine_error.h"
#include "lib/elastic/json_text.h"
#include "lib/http/client.h"

namespace searchsync::elastic {
namespace {

namespace ondemand = simdjson::ondemand;

void append_action(std::string& body, std::string_view action, std::string_view id, int64_t version,
                   const Address& address) {
  CHECK(!id.empty() && id.size() <= kDocumentIdBytesMax, "id of {} bytes", id.size());
  CHECK(version > 0, "version {}", version);
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), version).ptr;
  body.append("{\"").append(action).append("\":{\"_id\":");
  append_quoted(body, id);
  if (!address.index.empty()) {
    body.append(",\"_index\":");
    append_quoted(body, address.index);
  }
  if (!address.routing.empty()) {
    body.append(",\"routing\":");
    append_quoted(body, address.routing);
  }
  body.append(",\"version\":").append(digits.data(), end);
  body.append(",\"version_type\":\"external_gte\"}}\n");
}

enum class Operation { kIndex, kDelete };

// The name of a write alias is none that an index can have.
bool is_missing(std::string_view type) {
  return type == "index_not_found_exception" || type == "invalid_index_name_exception";
}

ItemOutcome judge_item(Operation operation, int status, const std::optional<EngineError>& error) {
  if (!error) {
    // A delete of what is not there has nothing left to do.
    const bool done =
        (status >= 200 && status < 300) || (operation == Operation::kDelete && status == 404);
    if (done) return {.outcome = Outcome::kApplied, .status = status};
    return {.outcome = judge(status, {}),
            .status = status,
            .reason = fmt::format("status {} without a reason", status)};
  }
  return {.outcome = judge(status, error->type),
          .status = status,
          .missing = is_missing(error->type),
          .reason = error->text()};
}

Result<ItemOutcome> parse_item(ondemand::object item) {
  std::optional<ItemOutcome> outcome;
  for (auto field : item) {
    std::string_view action;
    ondemand::object result;
    if (field.unescaped_key().get(action) || field.value().get_object().get(result)) {
      return fail(ErrorCode::kMalformed, "an item is not an action and its result");
    }
    if (outcome) return fail(ErrorCode::kMalformed, "an item has more than one action");
    const Operation operation = action == "delete" ? Operation::kDelete : Operation::kIndex;
    if (operation == Operation::kIndex && action != "index") {
      return fail(ErrorCode::kMalformed, "an item is neither index nor delete");
    }
    std::optional<int64_t> status;
    std::optional<EngineError> error;
    for (auto member : result) {
      std::string_view name;
      if (member.unescaped_key().get(name)) return fail(ErrorCode::kMalformed, "a torn item");
      if (name == "status") {
        int64_t value = 0;
        if (member.value().get_int64().get(value)) {
          return fail(ErrorCode::kMalformed, "a status is not a number");
        }
        status = value;
      } else if (name == "error") {
        ondemand::value value;
        if (member.value().get(value)) return fail(ErrorCode::kMalformed, "a torn item");
        ASSIGN_OR_RETURN(error, parse_engine_error(value));
      }
    }
    if (!status || *status < 100 || *status > 599) {
      return fail(ErrorCode::kMalformed, "an item has no status");
    }
    outcome = judge_item(operation, static_cast<int>(*status), error);
  }
  if (!outcome) return fail(ErrorCode::kMalformed, "an item is empty");
  return *outcome;
}

Result<std::vector<ItemOutcome>> parse_items(std::string_view body, size_t sent) {
  const simdjson::padded_string padded(body);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object top;
  if (parser.iterate(padded).get(document) || document.get_object().get(top)) {
    return fail(ErrorCode::kMalformed, "it is not a JSON object");
  }
  std::vector<ItemOutcome> outcomes;
  bool found = false;
  for (auto field : top) {
    std::string_view name;
    if (field.unescaped_key().get(name)) return fail(ErrorCode::kMalformed, "it is torn");
    if (name != "items") continue;
    ondemand::array items;
    if (found || field.value().get_array().get(items)) {
      return fail(ErrorCode::kMalformed, "\"items\" is not one array");
    }
    found = true;
    outcomes.reserve(sent);
    for (auto element : items) {
      ondemand::object item;
      if (element.get_object().get(item)) {
        return fail(ErrorCode::kMalformed, "an item is not an object");
      }
      if (outcomes.size() == sent) {
        return fail(ErrorCode::kMalformed, fmt::format("it has more than {} items", sent));
      }
      ASSIGN_OR_RETURN(ItemOutcome outcome, parse_item(item));
      outcomes.push_back(std::move(outcome));
    }
  }
  if (!found) return fail(ErrorCode::kMalformed, "it has no \"items\"");
  const char* rest = nullptr;
  if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) {
    return fail(ErrorCode::kMalformed, "it is torn, or something follows it");
  }
  if (outcomes.size() != sent) {
    return fail(ErrorCode::kMalformed,
                fmt::format("it has {} items for {} operations", outcomes.size(), sent));
  }
  return outcomes;
}

}  // namespace

void append_index(std::string& body, std::string_view id, int64_t version,
                  std::string_view document, const Address& address) {
  CHECK(document.starts_with('{') && document.find('\n') == std::string_view::npos);
  append_action(body, "index", id, version, address);
  body.append(document).push_back('\n');
}

void append_delete(std::string& body, std::string_view id, int64_t version,
                   const Address& address) {
  append_action(body, "delete", id, version, address);
}

std::string write_alias(const IndexName& index) {
  return index.get() + ".Write";
}

http::ClientRequest bulk_request(const IndexName& index, std::string body,
                                 std::chrono::milliseconds timeout) {
  // Of each item only what decides its outcome comes back, a third of the whole answer. The status
  // is in every item, so that none can vanish and the count still pairs.
  return {.method = "POST",
          .path = fmt::format("/{}/_bulk?timeout={}ms&filter_path=items.*.status,items.*.error",
                              http::percent_encode(write_alias(index)), timeout.count()),
          .headers = {{"Content-Type", "application/x-ndjson"}},
          .body = std::move(body),
          .timeout = timeout};
}

http::ClientRequest exists_request(const IndexName& index, std::chrono::milliseconds timeout) {
  return {.method = "HEAD",
          .path = "/" + http::percent_encode(write_alias(index)),
          .headers = {},
          .body = "",
          .timeout = timeout};
}

http::ClientRequest create_request(const IndexName& index, std::string body,
                                   std::chrono::milliseconds timeout) {
  return {.method = "PUT",
          .path = "/" + http::percent_encode(index.get()),
          .headers = {{"Content-Type", "application/json"}},
          .body = std::move(body),
          .timeout = timeout};
}

http::ClientRequest add_fields_request(const IndexName& index, std::string mappings,
                                       std::chrono::milliseconds timeout) {
  return {.method = "PUT",
          .path = "/" + http::percent_encode(index.get()) + "/_mapping",
          .headers = {{"Content-Type", "application/json"}},
          .body = std::move(mappings),
          .timeout = timeout};
}

std::optional<std::string> add_fields_failure(int http_status, std::string_view body) {
  if (http_status != 200) return read_engine_error(http_status, body).text();
  const simdjson::padded_string padded(body);
  ondemand::parser parser;
  ondemand::document document;
  bool acknowledged = false;
  const bool said = parser.iterate(padded).get(document) == simdjson::SUCCESS &&
                    document["acknowledged"].get(acknowledged) == simdjson::SUCCESS;
  if (said && acknowledged) return std::nullopt;
  return "not every node of the engine knows them yet";
}

std::optional<std::string> create_failure(int http_status, std::string_view body) {
  if (http_status == 200) return std::nullopt;
  const EngineError error = read_engine_error(http_status, body);
  if (error.type == "resource_already_exists_exception") return std::nullopt;
  return error.text();
}

Result<std::vector<ItemOutcome>> parse_bulk_response(int http_status, std::string_view body,
                                                     size_t sent) {
  CHECK(sent > 0);
  if (http_status == 200) {
    auto outcomes = parse_items(body, sent);
    if (!outcomes) {
      return fail(outcomes.error(), "a bulk response cannot be read");
    }
    return outcomes;
  }
  const EngineError error = read_engine_error(http_status, body);
  // A 400 without the engine's form comes from something between, and says nothing of the
  // documents.
  const bool due_to_content = http_status == 413 || (http_status == 400 && !error.type.empty());
  if (due_to_content && sent > 1) {
    return fail(ErrorCode::kLimit,
                fmt::format("a bulk request of {} operations was refused as a whole ({}, {}); "
                            "send its halves",
                            sent, http_status, error.text()));
  }
  Outcome outcome = judge(http_status, error.type);
  if (outcome == Outcome::kStale) outcome = Outcome::kRetry;
  if (outcome == Outcome::kRejected && !due_to_content) outcome = Outcome::kFatal;
  return std::vector<ItemOutcome>(
      sent, ItemOutcome{.outcome = outcome, .status = http_status, .reason = error.text()});
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kApplied:
      return "applied";
    case Outcome::kStale:
      return "stale";
    case Outcome::kRetry:
      return "retry";
    case Outcome::kRejected:
      return "rejected";
    case Outcome::kFatal:
      return "fatal";
  }
  CHECK(false);
}

}  // namespace searchsync::elastic
