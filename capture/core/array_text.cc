#include "capture/core/array_text.h"

namespace searchsync::capture {

bool ArrayText::visit(FunctionRef<void(char)> mark,
                      FunctionRef<void(std::optional<std::string_view>)> element) {
  if (peek() == '[') {
    const size_t equals = text_.find('=');
    if (equals == std::string_view::npos) return false;
    at_ = equals + 1;
  }
  if (peek() != '{') return false;
  // Depth first without recursion: hostile text may nest as deep as it is long.
  size_t depth = 0;
  bool item_expected = true;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '{' && item_expected) {
      mark('[');
      ++depth;
      ++at_;
      if (peek() == '}') item_expected = false;
    } else if (c == '}' && !item_expected && depth > 0) {
      mark(']');
      ++at_;
      if (--depth == 0) return at_ == text_.size();
    } else if (c == delimiter_ && !item_expected && depth > 0) {
      mark(',');
      ++at_;
      item_expected = true;
    } else if (item_expected && depth > 0) {
      if (!(c == '"' ? quoted(element) : bare(element))) return false;
      item_expected = false;
    } else {
      return false;
    }
  }
  return false;
}

bool ArrayText::quoted(FunctionRef<void(std::optional<std::string_view>)> element) {
  unescaped_.clear();
  for (++at_; at_ < text_.size(); ++at_) {
    char c = text_[at_];
    if (c == '"') {
      ++at_;
      element(unescaped_);
      return true;
    }
    if (c == '\\') {
      if (++at_ == text_.size()) return false;
      c = text_[at_];
    }
    unescaped_ += c;
  }
  return false;
}

bool ArrayText::bare(FunctionRef<void(std::optional<std::string_view>)> element) {
  const size_t start = at_;
  while (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '}') {
    if (text_[at_] == '{' || text_[at_] == '"' || text_[at_] == '\\') return false;
    ++at_;
  }
  const std::string_view value = text_.substr(start, at_ - start);
  if (value.empty()) return false;
  if (value == "NULL") {
    element(std::nullopt);
  } else {
    element(value);
  }
  return true;
}

}  // namespace searchsync::capture
