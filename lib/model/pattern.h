#pragma once

#include <functional>
#include <string>

namespace searchsync::model {

// Whether all of a string matches `expression`, an ECMAScript regular expression. Meant for strings
// of a few hundred bytes. Thread-safe. A bug in the expression is a CHECK.
std::function<bool(const std::string&)> compile_pattern(const std::string& expression);

}  // namespace searchsync::model
