#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "query/ask.h"
#include "query/fields.h"

namespace searchsync::query {

// Of a URL, decoded; those of one name side by side.
using Parameters = std::vector<std::pair<std::string, std::string>>;

// What is asked by a URL:
//
//   field=value           equals; given several times: any of the values
//   field.not=value       the opposite
//   field.gte=, .gt=, .lte=, .lt=, .prefix=, .text=, .exists=true|false
//   size=, limit=, cursor=, sort=-createdAt,testName, fields=id,testName, and other `controls`
//
// Values are read as the field's type wants them. All filters must fit. A field that has the name
// of a control can be asked for in the body of a POST only.
//
// controls: those that may be there; each becomes a member of Ask::rest.
Ask read_parameters(const Parameters& parameters, const FieldCatalog& catalog,
                    const Names& controls, Faults& faults);

// The value of a parameter as the type of the field wants it; where it cannot be, as a string.
model::Node read_value(const Field& field, std::string_view text);

// Whether documents can be told in its order.
bool is_timeline_field(const Field& field);

// Restricts `ask` to documents with the date `field`, newest first. The sort must not be set.
void make_timeline(std::string_view field, const FieldCatalog& catalog, Ask& ask, Faults& faults);

}  // namespace searchsync::query
