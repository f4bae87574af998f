#include "operator/plan/column_mapping.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace searchsync::plan {
namespace {

// In four bytes each, so many characters are the longest term that the engines can have.
constexpr int32_t kTermCharactersMax = 8191;
constexpr int32_t kLongDigitsMax = 18;

constexpr std::string_view kKeyword = R"({"type":"keyword"})";
// Of any length: what is longer is not found by its value.
constexpr std::string_view kLongKeyword = R"({"type":"keyword","ignore_above":8191})";
// In the document, and not searched.
constexpr std::string_view kKept = R"({"type":"object","enabled":false})";

// What the engines cannot take of a type, such as NaN or an infinite time, is in the document all
// the same, and is only not found.
constexpr std::string_view kDouble = R"({"type":"double","ignore_malformed":true})";

struct Known {
  std::string_view type;
  std::string_view mapping;
};

constexpr std::array kKnown{
    Known{"bool", R"({"type":"boolean"})"},
    Known{"int2", R"({"type":"short"})"},
    Known{"int4", R"({"type":"integer"})"},
    Known{"int8", R"({"type":"long"})"},
    Known{"oid", R"({"type":"long"})"},
    Known{"float4", R"({"type":"float","ignore_malformed":true})"},
    Known{"float8", kDouble},
    Known{"date", R"({"type":"date","ignore_malformed":true})"},
    Known{"timestamp", R"({"type":"date","ignore_malformed":true})"},
    Known{"timestamptz", R"({"type":"date","ignore_malformed":true})"},
    Known{"time", kKeyword},
    Known{"timetz", kKeyword},
    Known{"interval", kKeyword},
    Known{"uuid", kKeyword},
    Known{"inet", R"({"type":"ip","ignore_malformed":true})"},
    Known{"cidr", kKeyword},
    Known{"macaddr", kKeyword},
    Known{"macaddr8", kKeyword},
    Known{"money", kKeyword},
    Known{"name", kKeyword},
    Known{"char", kKeyword},
    Known{"pg_lsn", kKeyword},
    Known{"bytea", R"({"type":"binary"})"},
    Known{"json", kKept},
    Known{"jsonb", kKept},
    Known{"xml", kKept},
    Known{"tsvector", kKept},
};

bool is_text(std::string_view type) {
  return type == "text" || type == "varchar" || type == "citext";
}

bool is_json(std::string_view type) {
  return type == "json" || type == "jsonb";
}

std::string_view keyword_of(const CatalogColumn& column) {
  const bool bounded = column.length > 0 && column.length <= kTermCharactersMax;
  return bounded ? kKeyword : kLongKeyword;
}

std::string mapping_of(const CatalogColumn& column, ColumnUse use) {
  if (column.type_class == TypeClass::kEnum || column.type_class == TypeClass::kRange) {
    return std::string(kKeyword);
  }
  if (column.type_class == TypeClass::kComposite) return std::string(kLongKeyword);
  if (is_text(column.type)) {
    if (use == ColumnUse::kKey) return std::string(kKeyword);
    return fmt::format(R"({{"type":"text","fields":{{"keyword":{}}}}})", keyword_of(column));
  }
  if (column.type == "bpchar") {
    return std::string(use == ColumnUse::kKey ? kKeyword : keyword_of(column));
  }
  if (column.type == "numeric") {
    const bool whole =
        column.precision > 0 && column.precision <= kLongDigitsMax && column.scale == 0;
    return whole ? R"({"type":"long","ignore_malformed":true})" : std::string(kDouble);
  }
  const auto* known = std::ranges::find(kKnown, column.type, &Known::type);
  return std::string(known == kKnown.end() ? kLongKeyword : known->mapping);
}

// Pages go on after a key: its fields have to be compared as whole values.
std::string with_keyword(std::string mapping) {
  if (mapping.find(R"("keyword")") != std::string::npos ||
      mapping.find(R"("short")") != std::string::npos ||
      mapping.find(R"("integer")") != std::string::npos ||
      mapping.find(R"("long")") != std::string::npos || mapping == kKept) {
    return mapping;
  }
  mapping.pop_back();
  return mapping + R"(,"fields":{"keyword":{"type":"keyword"}}})";
}

}  // namespace

ColumnMapping map_column(const CatalogColumn& column, ColumnUse use) {
  ColumnMapping mapped{.mapping = mapping_of(column, use)};
  if (use == ColumnUse::kKey) mapped.mapping = with_keyword(std::move(mapped.mapping));
  // The elements of an array of documents stay texts.
  if (is_json(column.type) && !column.array) mapped.type = model::FieldType::kJson;
  return mapped;
}

}  // namespace searchsync::plan
