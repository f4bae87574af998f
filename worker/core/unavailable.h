#pragma once

#include <string_view>

#include "lib/base/error.h"

namespace searchsync::worker {

// Refuses a row with a column whose value the database did not tell, since it was not changed and
// is stored apart (TOAST): Debezium has written its default placeholder instead.
//
// row: a JSON object as it came, values not yet converted. Errors: kUnsupported, naming the column
// and what to do. Not seen: a custom unavailable.value.placeholder; in arrays of booleans and, with
// decimal.format=NUMERIC, of decimals, where it cannot be told from values.
// Source: Debezium, "unavailable.value.placeholder"; UnchangedToastedPlaceholder.java.
Result<void> refuse_unavailable(std::string_view row);

}  // namespace searchsync::worker
