#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/resources.h"

namespace searchsync::query {

// What can be asked of a field, whatever its type is called in the mappings.
enum class FieldKind {
  kKeyword,   // whole values: keyword, constant_keyword, wildcard, version
  kText,      // analysed words: text, match_only_text, search_as_you_type
  kInteger,   // byte, short, integer, long, unsigned_long
  kFloating,  // half_float, float, double, scaled_float
  kBoolean,
  kDate,  // date, date_nanos
  kIp,
  kObject,  // an object, or an array of objects whose fields are not tied to each other
  kNested,  // an array of objects that are searched each by itself
  kOther,   // of a type that only `exists` understands
};

struct Field {
  std::string path;  // dotted; a multi-field is under its field: "title.raw"
  std::string type;  // as the mappings say
  FieldKind kind = FieldKind::kOther;
  std::string nested;        // path of the innermost nested object around it; empty: none
  std::string date_format;   // of the mappings; empty: the engines' default
  bool allowed = true;       // who asks may use, see and know of it
  bool filterable = true;    // may be used in queries
  bool searchable = true;    // has an index to search
  bool doc_values = true;    // can be sorted by and counted by value
  bool exact = true;         // equal values are equal fields: no normalizer, no ignore_above
  bool multi_field = false;  // exists for searching only: not a part of the document
};

// The operators of a filter that a field understands, for messages and for GET …/fields.
std::vector<std::string_view> operators_of(const Field& field);
bool sortable(const Field& field);

// The declared fields of one index. Constant after construction.
class FieldCatalog {
 public:
  // mappings: the "mappings" object. filterable: fields, or objects for all that is in them; empty:
  // all fields. Errors: kInvalidArgument if the mappings are not those of an index, or if
  // `filterable` names what is not there.
  static Result<FieldCatalog> create(const model::JsonText& mappings,
                                     const std::vector<std::string>& filterable);

  // The same, of which only these fields, and what is within them, are allowed; none: all.
  // Errors: kInvalidArgument if one is not there.
  Result<FieldCatalog> restricted(const std::vector<std::string>& allowed) const;

  // Null: not declared, or not allowed: who asks is told the same of both.
  const Field* find(std::string_view path) const;
  // Also what is not allowed: for what nobody named.
  const Field* find_declared(std::string_view path) const;
  // Whether the field is allowed, or one within it.
  bool shows(std::string_view path) const;
  const std::map<std::string, Field, std::less<>>& fields() const { return fields_; }

  // "no field `x` is declared, did you mean `y`?", of what is allowed.
  std::string unknown(std::string_view path) const;

 private:
  std::map<std::string, Field, std::less<>> fields_;
  bool restricted_ = false;
};

// The answer to GET /v1/{index}/fields.
std::string render_fields(std::string_view index, const FieldCatalog& catalog);

}  // namespace searchsync::query
