#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/function_ref.h"

namespace searchsync::capture {

// PostgreSQL's text form of an array: {1,NULL,"a b"}, {{1,2},{3,4}}, [0:1]={1,2}.
// Source: PostgreSQL, "Arrays", "Array Input and Output Syntax".
class ArrayText {
 public:
  ArrayText(std::string_view text, char delimiter) : text_(text), delimiter_(delimiter) {}

  // Calls `mark` with '[', ',' and ']' and `element` with each value in between (nullopt: NULL;
  // valid during the call). Bounds other than 1 are lost, as in JSON.
  // False if the text has not this form: what was visited before means nothing.
  bool visit(FunctionRef<void(char)> mark,
             FunctionRef<void(std::optional<std::string_view>)> element);

 private:
  bool quoted(FunctionRef<void(std::optional<std::string_view>)> element);
  bool bare(FunctionRef<void(std::optional<std::string_view>)> element);
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  const std::string_view text_;
  const char delimiter_;
  size_t at_ = 0;
  std::string unescaped_;
};

}  // namespace searchsync::capture
