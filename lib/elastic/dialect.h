#pragma once

// All that differs between Elasticsearch and OpenSearch, in one place. Pure.

#include <chrono>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace searchsync::elastic {

enum class Product { kElasticsearch, kOpenSearch };

std::string_view to_string(Product product);

struct Dialect {
  Product product = Product::kElasticsearch;
  int major = 0;
  int minor = 0;

  std::string name() const;  // "Elasticsearch 8.16"

  // name: percent-encoded.
  std::string open_point_in_time_path(std::string_view name, std::chrono::seconds keep_alive) const;
  std::string close_point_in_time_path() const;
  std::string close_point_in_time_body(std::string_view id) const;
  // The member of the answer that holds the point in time's id.
  std::string_view point_in_time_id_member() const;
};

// body: of the answer to GET /.
// kUnsupported if it is too old or another product; kMalformed if it is no such answer at all.
Result<Dialect> parse_banner(std::string_view body);

}  // namespace searchsync::elastic
