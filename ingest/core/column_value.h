#pragma once

#include <string>
#include <string_view>

#include "ingest/core/schema.h"

namespace searchsync::ingest {

// Each says why a value does not fit its column, for whoever sent it; empty: it does.

// text: of a String, UTF-8.
std::string check_text(const Column& column, std::string_view text);

// token: of an Integer or Number, in JSON's grammar of numbers.
std::string check_number(const Column& column, std::string_view token);

// text: of a Timestamp. Sets `kept` to the form in which it is kept, "2026-01-31T12:00:00.000000Z".
std::string read_time(std::string_view text, std::string& kept);

// A value from a path, decoded, of any type but Json. Sets `kept` as it stands in the row, without
// quotes.
std::string read_path_value(const Column& column, std::string_view text, std::string& kept);

}  // namespace searchsync::ingest
