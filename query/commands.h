#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/resources.h"
#include "lib/postgres/connection.h"
#include "query/faults.h"

namespace searchsync::query {

inline constexpr size_t kCommandRowsMax = 1000;

// A call of a function: one statement, and a text for each of its parameters; nullopt: NULL.
struct Call {
  std::string sql;
  std::vector<std::optional<std::string>> values;
  bool many = false;  // rows are returned: it is not known how many
};

// body: a JSON object with a member for each argument; empty: {}. The statement is made of what the
// resource says alone; what was sent is in `values`. Nothing, and its faults, if it does not fit.
std::optional<Call> read_call(const model::CommandSpec& command, std::string_view body,
                              Faults& faults);

// The status of a function that failed, as PostgREST's users know it.
// Source: PostgREST, "Errors", "HTTP Status Codes". But 57014, the time is up, is 504.
int status_of(std::string_view sqlstate);

// {"error":{"code":"command_failed","message","sqlstate","details","hint"}}; without those that are
// empty.
std::string render(const postgres::ServerError& error);

}  // namespace searchsync::query
