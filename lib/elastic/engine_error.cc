#include "lib/elastic/engine_error.h"

#include <fmt/format.h>

#include "lib/base/utf8.h"

namespace searchsync::elastic {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr int kCausesMax = 8;

// Appends the reason and its causes. False if the JSON is torn.
bool collect(ondemand::object error, EngineError& into, int depth) {
  std::string type;
  std::string reason;
  EngineError cause;
  for (auto field : error) {
    std::string_view name;
    if (field.unescaped_key().get(name)) return false;
    ondemand::value value;
    if (field.value().get(value)) return false;
    ondemand::json_type kind;
    if (value.type().get(kind)) return false;
    std::string_view text;
    if (name == "type" && kind == ondemand::json_type::string) {
      if (value.get_string().get(text)) return false;
      type = text;
    } else if (name == "reason" && kind == ondemand::json_type::string) {
      if (value.get_string().get(text)) return false;
      reason = text;
    } else if (name == "caused_by" && kind == ondemand::json_type::object && depth < kCausesMax) {
      ondemand::object object;
      if (value.get_object().get(object) || !collect(object, cause, depth + 1)) return false;
    }
  }
  into.type = std::move(type);
  into.reason = std::move(reason);
  if (!cause.type.empty()) into.reason += "; caused by " + cause.text();
  into.reason = std::string(cut_utf8(into.reason, kReasonBytesMax));
  return true;
}

}  // namespace

std::string EngineError::text() const {
  if (type.empty()) return reason;
  std::string all = reason.empty() ? type : fmt::format("{}: {}", type, reason);
  all.resize(cut_utf8(all, kReasonBytesMax).size());
  return all;
}

Result<EngineError> parse_engine_error(ondemand::value error) {
  EngineError parsed;
  ondemand::json_type kind;
  if (error.type().get(kind)) return fail(ErrorCode::kMalformed, "a torn error");
  if (kind == ondemand::json_type::string) {
    std::string_view text;
    if (error.get_string().get(text)) return fail(ErrorCode::kMalformed, "a torn error");
    parsed.reason = cut_utf8(text, kReasonBytesMax);
    return parsed;
  }
  ondemand::object object;
  if (error.get_object().get(object) || !collect(object, parsed, 0)) {
    return fail(ErrorCode::kMalformed, "an error is neither an object nor a text");
  }
  return parsed;
}

EngineError read_engine_error(int http_status, std::string_view body) {
  const simdjson::padded_string padded(body);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::value error;
  if (!parser.iterate(padded).get(document) && !document["error"].get(error)) {
    auto parsed = parse_engine_error(error);
    if (parsed) return *parsed;
  }
  return {{}, fmt::format("status {} without an explanation", http_status)};
}

Outcome judge(int status, std::string_view type) {
  if (type == "cluster_block_exception") return Outcome::kRetry;
  if (type == "index_not_found_exception" || type == "invalid_index_name_exception" ||
      type == "index_closed_exception" || type == "security_exception") {
    return Outcome::kFatal;
  }
  if (status == 409) {
    return type == "version_conflict_engine_exception" ? Outcome::kStale : Outcome::kRetry;
  }
  if (status == 408 || status == 429 || (status >= 500 && status <= 599)) return Outcome::kRetry;
  if (status == 401 || status == 403) return Outcome::kFatal;
  return status >= 400 && status <= 499 ? Outcome::kRejected : Outcome::kFatal;
}

}  // namespace searchsync::elastic
