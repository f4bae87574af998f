#include "lib/model/pattern.h"

#include <regex>

#include "lib/base/check.h"

namespace searchsync::model {

std::function<bool(const std::string&)> compile_pattern(const std::string& expression) {
  try {
    return [compiled = std::regex(expression)](const std::string& text) {
      return std::regex_match(text, compiled);
    };
  } catch (const std::regex_error& error) {
    CHECK(false, "{} is no regular expression: {}", expression, error.what());
  }
}

}  // namespace searchsync::model
