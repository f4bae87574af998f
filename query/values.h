#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/model/node.h"
#include "query/fields.h"

namespace searchsync::query {

// Whether a value is compared for equality or for order: an order may have a bound between two
// integers.
enum class Comparison { kEquality, kOrder };

// What a value of `field` must look like, if `value` does not: "a number, not a string". Nothing if
// it does.
std::optional<std::string> value_fault(const Field& field, const model::Node& value,
                                       Comparison comparison);

}  // namespace searchsync::query
