#include "lib/model/crd_yaml.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::model {
namespace {

constexpr size_t kColumns = 100;

// Where a text stands on one line: within brackets more characters have a meaning.
enum class Within { kBlock, kBrackets };

// Read as something else than a string by one version of YAML or another, in any case of letters.
bool is_special(std::string_view text) {
  constexpr std::string_view kSpecial[] = {"",   "~",   "null", "true", "false", "yes", "no",
                                           "on", "off", "y",    "n",    ".inf",  ".nan"};
  std::string lower;
  for (const char c : text) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(std::begin(kSpecial), std::end(kSpecial), lower) != std::end(kSpecial);
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Narrower than YAML has it.
bool is_plain(std::string_view text, Within within) {
  if (is_special(text) || text.back() == ':' || text.back() == ' ') return false;
  const bool begins = is_letter(text.front()) || text.front() == '^' ||
                      (text.front() == '.' && text.size() > 1 && is_letter(text[1]));
  if (!begins) return false;
  if (text.find(": ") != text.npos || text.find(" #") != text.npos) return false;
  const std::string_view meant = within == Within::kBrackets ? "[]{},:\"'" : "";
  return std::none_of(text.begin(), text.end(), [&](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || meant.find(c) != meant.npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// A string on one line.
std::string quote(const std::string& text, Within within = Within::kBlock) {
  if (is_plain(text, within)) return text;
  if (has_control(text)) return to_json(Node{.value = text, .position = {}});
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

size_t width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// Folding takes back single line breaks only, and leaves lines alone that begin with a space.
bool can_fold(std::string_view text) {
  std::string without_breaks(text);
  std::erase(without_breaks, '\n');
  return !text.empty() && !has_control(without_breaks) && !text.starts_with(' ') &&
         !text.starts_with('\n') && !text.ends_with(' ') && !text.ends_with('\n') &&
         text.find("\n ") == text.npos && text.find(" \n") == text.npos &&
         text.find("\n\n") == text.npos && text.find("  ") == text.npos;
}

bool is_collection(const Node& node) {
  return node.mapping() != nullptr || node.sequence() != nullptr;
}

bool is_empty(const Node& node) {
  return (node.mapping() != nullptr && node.mapping()->empty()) ||
         (node.sequence() != nullptr && node.sequence()->empty());
}

class Writer {
 public:
  void write_mapping(const Node::Mapping& mapping, size_t indent) {
    for (const Node::Entry& entry : mapping) {
      if (&entry != &mapping.front() || !inline_) begin_line(indent);
      inline_ = false;
      const std::string key = quote(entry.key) + ":";
      out_ += key;
      write_value(entry.value, indent, indent + width(key));
    }
  }

  std::string take() { return std::move(out_); }

 private:
  void begin_line(size_t indent) { out_.append(indent, ' '); }

  // column: where the line has come to.
  void write_value(const Node& node, size_t indent, size_t column) {
    if (const std::string flow = one_line(node);
        !flow.empty() && column + 1 + width(flow) <= kColumns) {
      out_ += " " + flow + "\n";
    } else if (const std::string* text = node.string()) {
      if (can_fold(*text)) {
        write_block(*text, indent + 2);
      } else {
        out_ += " " + quote(*text) + "\n";
      }
    } else if (node.mapping() != nullptr) {
      out_ += "\n";
      write_mapping(*node.mapping(), indent + 2);
    } else {
      out_ += "\n";
      write_sequence(*node.sequence(), indent + 2);
    }
  }

  void write_sequence(const Node::Sequence& sequence, size_t indent) {
    for (const Node& item : sequence) {
      begin_line(indent);
      out_ += "-";
      if (item.mapping() != nullptr && !item.mapping()->empty()) {
        out_ += " ";
        inline_ = true;
        write_mapping(*item.mapping(), indent + 2);
      } else {
        write_value(item, indent, indent + 1);
      }
    }
  }

  // Empty: it has no such form.
  static std::string one_line(const Node& node, Within within = Within::kBlock) {
    if (const Node::Sequence* items = node.sequence()) {
      if (std::any_of(items->begin(), items->end(), is_collection)) return "";
      std::vector<std::string> texts;
      for (const Node& item : *items) texts.push_back(one_line(item, Within::kBrackets));
      if (std::count(texts.begin(), texts.end(), "") > 0) return "";
      return fmt::format("[{}]", fmt::join(texts, ", "));
    }
    if (is_empty(node)) return "{}";
    if (node.mapping() != nullptr) return "";
    const std::string* text = node.string();
    if (text == nullptr) return to_json(node);
    if (!can_fold(*text)) return quote(*text, within);
    // Better to read than with every quote doubled.
    const bool doubled = !is_plain(*text, within) && text->find('\'') != text->npos;
    return doubled || text->find('\n') != text->npos ? "" : quote(*text, within);
  }

  // As it is if its lines are short enough, else folded.
  void write_block(std::string_view text, size_t indent) {
    const std::vector<std::string_view> lines = split(text);
    const bool fit = std::all_of(lines.begin(), lines.end(), [&](std::string_view line) {
      return indent + width(line) <= kColumns;
    });
    out_ += fit && lines.size() > 1 ? " |-\n" : " >-\n";
    for (const std::string_view line : lines) {
      // Folding makes of a break and an empty line the one break.
      if (!fit && line.data() != text.data()) out_ += "\n";
      write_words(line, indent);
    }
  }

  static std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> lines;
    while (true) {
      const size_t end = text.find('\n');
      lines.push_back(text.substr(0, end));
      if (end == text.npos) return lines;
      text.remove_prefix(end + 1);
    }
  }

  void write_words(std::string_view text, size_t indent) {
    size_t column = 0;
    while (!text.empty()) {
      const std::string_view word = text.substr(0, text.find(' '));
      text.remove_prefix(std::min(text.size(), word.size() + 1));
      if (column > 0 && column + 1 + width(word) > kColumns) {
        out_ += "\n";
        column = 0;
      }
      if (column == 0) {
        begin_line(indent);
        column = indent;
      } else {
        out_ += " ";
        ++column;
      }
      out_ += word;
      column += width(word);
    }
    if (column > 0) out_ += "\n";
  }

  std::string out_;
  bool inline_ = false;  // the next key goes on in the line of its item's dash
};

}  // namespace

std::string write_yaml(const Node& node) {
  CHECK(node.mapping() != nullptr);
  if (node.mapping()->empty()) return "{}\n";
  Writer writer;
  writer.write_mapping(*node.mapping(), 0);
  return writer.take();
}

}  // namespace searchsync::model
