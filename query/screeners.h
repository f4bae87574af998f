#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/model/resources.h"
#include "query/ask.h"
#include "query/parameters.h"
#include "query/rules.h"

namespace searchsync::query {

// A saved query, as it was declared.
struct Screener {
  std::string name;
  std::string description;
  std::vector<std::string> parameters;  // in order of their first use
  Ask ask;                              // with "{{parameter}}" in place of values
};

// Never fails: what is wrong with a screener shows when it is planned.
std::vector<Screener> read_screeners(std::span<const model::ScreenerSpec> specs);

const Screener* find_screener(std::span<const Screener> screeners, std::string_view name);

// What was given for each parameter: JSON, or the texts of a URL.
using Argument = std::variant<model::Node, std::vector<std::string>>;
using Arguments = std::map<std::string, Argument, std::less<>>;

// The parameters of a URL that are not the screener's own.
const Names& screener_controls();

// Splits the parameters of a URL into controls, members of `rest`, and arguments.
Arguments read_arguments(const Parameters& parameters, const Names& controls, Ask& rest,
                         Faults& faults);
// Takes the object of the member "parameters" out of a body.
Arguments take_arguments(Ask& body, Faults& faults);

// What the screener asks with these arguments. A value stands where its parameter stood, and is
// checked like any other: it can be nothing but a value. What `rest` says goes before what the
// screener says. Faults: an argument that is missing, or is none of the screener's.
Ask fill_in(const Screener& screener, const Arguments& arguments, const Ask& rest,
            const Rules& rules, Faults& faults);

// All that is wrong with it, whatever the arguments.
Faults check_screener(const Screener& screener, const Rules& rules);

// Those that who asks may know of: who is limited, only what needs nothing that is hidden.
std::vector<Screener> usable_screeners(std::span<const Screener> screeners, const Rules& rules);

// [{"name", "description", "parameters"}], JSON.
std::string render_screeners(std::span<const Screener> screeners);

}  // namespace searchsync::query
