#include "lib/elastic/dialect.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "lib/base/check.h"

namespace searchsync::elastic {
namespace {

// The oldest that have what we use: require_alias, hidden aliases, points in time.
constexpr int kElasticsearchMajorMin = 8;
constexpr int kOpenSearchMajorMin = 2;
constexpr int kOpenSearchMinorMin = 4;

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Dialect> check_version(Dialect dialect, const nlohmann::json& version) {
  const std::string number = text_of(version, "number");
  switch (dialect.product) {
    case Product::kElasticsearch:
      if (text_of(version, "build_flavor") == "serverless") {
        return fail(
            ErrorCode::kUnsupported,
            "Elasticsearch Serverless does not let its users set replicas and gc_deletes, "
            "which SearchSync depends on; use a cluster of your own or Elastic Cloud Hosted");
      }
      if (dialect.major < kElasticsearchMajorMin) {
        return fail(ErrorCode::kUnsupported,
                    fmt::format("Elasticsearch {} is too old; at least {}.0 is needed", number,
                                kElasticsearchMajorMin));
      }
      break;
    case Product::kOpenSearch:
      if (dialect.major == 7) {
        return fail(
            ErrorCode::kUnsupported,
            "OpenSearch hides its version; set compatibility.override_main_response_version "
            "to false");
      }
      if (dialect.major < kOpenSearchMajorMin ||
          (dialect.major == kOpenSearchMajorMin && dialect.minor < kOpenSearchMinorMin)) {
        return fail(ErrorCode::kUnsupported,
                    fmt::format("OpenSearch {} is too old; at least {}.{} is needed", number,
                                kOpenSearchMajorMin, kOpenSearchMinorMin));
      }
      break;
  }
  return dialect;
}

}  // namespace

std::string_view to_string(Product product) {
  switch (product) {
    case Product::kElasticsearch:
      return "Elasticsearch";
    case Product::kOpenSearch:
      return "OpenSearch";
  }
  CHECK(false);
}

std::string Dialect::name() const {
  return fmt::format("{} {}.{}", to_string(product), major, minor);
}

std::string Dialect::open_point_in_time_path(std::string_view name,
                                             std::chrono::seconds keep_alive) const {
  // Without the last OpenSearch leaves out shards that are nowhere, and does not say so.
  const std::string_view form = product == Product::kOpenSearch
                                    ? "/{}/_search/point_in_time?keep_alive={}s"
                                      "&allow_partial_pit_creation=false"
                                    : "/{}/_pit?keep_alive={}s";
  return fmt::format(fmt::runtime(form), name, keep_alive.count());
}

std::string Dialect::close_point_in_time_path() const {
  return product == Product::kOpenSearch ? "/_search/point_in_time" : "/_pit";
}

std::string Dialect::close_point_in_time_body(std::string_view id) const {
  if (product == Product::kOpenSearch) return nlohmann::json{{"pit_id", {id}}}.dump();
  return nlohmann::json{{"id", id}}.dump();
}

std::string_view Dialect::point_in_time_id_member() const {
  return product == Product::kOpenSearch ? "pit_id" : "id";
}

Result<Dialect> parse_banner(std::string_view body) {
  const auto banner = nlohmann::json::parse(body, nullptr, false);
  if (!banner.is_object() || !banner.contains("version") || !banner["version"].is_object()) {
    return fail(
        ErrorCode::kMalformed,
        "the answer to GET / is not that of Elasticsearch or OpenSearch; is the URL that of "
        "the search engine?");
  }
  const auto& version = banner["version"];
  Dialect dialect;
  const std::string distribution = text_of(version, "distribution");
  if (distribution == "opensearch") {
    dialect.product = Product::kOpenSearch;
  } else if (distribution.empty() && text_of(banner, "tagline") == "You Know, for Search") {
    dialect.product = Product::kElasticsearch;
  } else {
    return fail(ErrorCode::kUnsupported,
                fmt::format("\"{}\" is neither Elasticsearch nor OpenSearch", distribution));
  }
  const std::string number = text_of(version, "number");
  if (std::sscanf(number.c_str(), "%4d.%4d", &dialect.major, &dialect.minor) != 2) {
    return fail(ErrorCode::kMalformed, fmt::format("\"{}\" is not a version", number));
  }
  return check_version(dialect, version);
}

}  // namespace searchsync::elastic
