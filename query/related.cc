#include "query/related.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <optional>

#include "lib/base/check.h"
#include "lib/base/function_ref.h"
#include "lib/elastic/json_text.h"

namespace searchsync::query {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr char kMark = '\x1f';  // in JSON strings it is written as an escape

std::string json_string(std::string_view text) {
  std::string json;
  elastic::append_quoted(json, text);
  return json;
}

EngineProblem unreadable() {
  return {EngineFault::kUnreadable,
          "the search engine's answer about related documents is not whole"};
}

// Reads an answer, to its end, and calls `aggregation` with what was asked for. Nothing: it is
// whole.
std::optional<EngineProblem> read_whole(int status, std::string_view body,
                                        FunctionRef<bool(ondemand::object)> aggregation) {
  if (status != 200) return judge_response(status, body);
  const EngineProblem torn = unreadable();
  const simdjson::padded_string padded(body);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object top;
  if (parser.iterate(padded).get(document) || document.get_object().get(top)) return torn;
  std::optional<bool> late;
  std::optional<int64_t> failed;
  bool found = false;
  for (auto field : top) {
    std::string_view name;
    ondemand::value value;
    if (field.unescaped_key().get(name) || field.value().get(value)) return torn;
    if (name == "timed_out") {
      if (value.get_bool().get(late.emplace())) return torn;
    } else if (name == "_shards") {
      if (value["failed"].get_int64().get(failed.emplace())) return torn;
    } else if (name == "aggregations") {
      ondemand::object keys;
      if (value["keys"].get_object().get(keys) || !aggregation(keys)) return torn;
      found = true;
    }
  }
  if (!late || !failed || !found) return torn;
  if (*late) return EngineProblem{EngineFault::kSlow, "the search engine did not finish in time"};
  if (*failed == 0) return std::nullopt;
  return EngineProblem{EngineFault::kPartial,
                       fmt::format("the search of related documents failed on {} shards", *failed)};
}

std::string_view trimmed(std::string_view token) {
  const size_t end = token.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view() : token.substr(0, end + 1);
}

const Field* key_field(const FieldCatalog& catalog, std::string_view path, std::string& problem) {
  const Field* field = catalog.find(path);
  if (field == nullptr) {
    problem = catalog.unknown(path);
  } else if (!field->nested.empty() || !field->doc_values || !field->searchable ||
             (field->kind != FieldKind::kKeyword && field->kind != FieldKind::kInteger)) {
    problem = fmt::format(
        "`{}` must be a keyword or integer field that can be searched and sorted, not within a "
        "nested array",
        path);
  }
  return problem.empty() ? field : nullptr;
}

}  // namespace

std::string related_marker(size_t number) {
  return fmt::format("{}{}{}", kMark, number, kMark);
}

std::string related_body(const RelatedQuery& related, int64_t keys_max) {
  return fmt::format(
      R"({{"size":0,"track_total_hits":false,"query":{},"aggs":{{"keys":{{"terms":{{"field":{},)"
      R"("size":{},"order":{{"_key":"asc"}}}}}}}}}})",
      related.query, json_string(related.to), keys_max + 1);
}

std::string related_count_body(const RelatedQuery& related) {
  return fmt::format(R"({{"size":0,"track_total_hits":false,"query":{},)"
                     R"("aggs":{{"keys":{{"cardinality":{{"field":{}}}}}}}}})",
                     related.query, json_string(related.to));
}

std::expected<RelatedKeys, EngineProblem> read_related_keys(int status, std::string_view body,
                                                            int64_t keys_max) {
  RelatedKeys keys;
  const auto problem = read_whole(status, body, [&](ondemand::object terms) {
    int64_t others = 0;
    ondemand::array buckets;
    if (terms["sum_other_doc_count"].get_int64().get(others) ||
        terms["buckets"].get_array().get(buckets)) {
      return false;
    }
    for (auto element : buckets) {
      ondemand::object bucket;
      ondemand::value key;
      if (element.get_object().get(bucket) || bucket["key"].get(key)) return false;
      if (keys.count++ > 0) keys.keys += ',';
      keys.keys += trimmed(key.raw_json_token());
    }
    keys.all = others == 0 && keys.count <= keys_max;
    return true;
  });
  if (problem) return std::unexpected(*problem);
  return keys;
}

std::expected<int64_t, EngineProblem> read_related_count(int status, std::string_view body) {
  int64_t count = 0;
  const auto problem = read_whole(status, body, [&count](ondemand::object cardinality) {
    return !cardinality["value"].get_int64().get(count);
  });
  if (problem) return std::unexpected(*problem);
  return count;
}

std::string related_terms(const RelatedQuery& related, const RelatedKeys& keys) {
  if (keys.count == 0) return R"({"match_none":{}})";
  return fmt::format(R"({{"terms":{{{}:[{}]}}}})", json_string(related.from), keys.keys);
}

std::string fill_markers(std::string_view text, std::span<const std::string> queries) {
  std::string filled;
  while (true) {
    const size_t begin = text.find(kMark);
    filled += text.substr(0, begin);
    if (begin == std::string_view::npos) return filled;
    const size_t end = text.find(kMark, begin + 1);
    CHECK(end != std::string_view::npos, "a marker without an end");
    size_t number = 0;
    std::from_chars(text.data() + begin + 1, text.data() + end, number);
    CHECK(number < queries.size(), "marker {}", number);
    filled += queries[number];
    text.remove_prefix(end + 1);
  }
}

std::string relation_problem(const FieldCatalog& from_index, std::string_view from,
                             const FieldCatalog& to_index, std::string_view to) {
  std::string problem;
  const Field* one = key_field(from_index, from, problem);
  if (one == nullptr) return "from: " + problem;
  const Field* other = key_field(to_index, to, problem);
  if (other == nullptr) return "to: " + problem;
  if (one->kind == other->kind) return {};
  return fmt::format("`{}` is of type {} and `{}` of type {}: their values never are the same",
                     from, one->type, to, other->type);
}

}  // namespace searchsync::query
