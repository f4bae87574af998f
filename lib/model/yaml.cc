#include "lib/model/yaml.h"

#include <fmt/core.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <map>
#include <optional>
#include <sstream>
#include <string>

#include "lib/model/tree_builder.h"

namespace searchsync::model {
namespace {

constexpr TreeBuilder::Limits kLimits{
    .nodes = 100'000, .text_bytes = 4 << 20, .depth = kYamlDepthMax};

// Ends the parser from inside its events; the reason is in the TreeBuilder.
struct Stop {};

Position to_position(const YAML::Mark& mark) {
  return mark.line < 0 ? Position{} : Position{mark.line + 1, mark.column + 1};
}

size_t digits_at(std::string_view text, size_t from) {
  size_t end = from;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  return end - from;
}

// Whether `text` is a number as JSON writes it.
bool is_json_number(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const size_t whole = digits_at(text, at);
  if (whole == 0 || (whole > 1 && text[at] == '0')) return false;
  at += whole;
  if (at < text.size() && text[at] == '.') {
    const size_t fraction = digits_at(text, at + 1);
    if (fraction == 0) return false;
    at += 1 + fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t exponent = digits_at(text, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == text.size();
}

// JSON readers refuse numbers beyond.
bool fits_a_double(std::string_view number) {
  double value = 0;
  return std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc{};
}

// What a scalar without quotes means.
Node plain_scalar(const std::string& text, Position position) {
  if (text == "true") return {.value = true, .position = position};
  if (text == "false") return {.value = false, .position = position};
  if (is_json_number(text)) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size() && text != "-0") {
      return {.value = number, .position = position};
    }
    return {.value = Node::Decimal{text}, .position = position};
  }
  return {.value = text, .position = position};
}

class Events : public YAML::EventHandler {
 public:
  explicit Events(TreeBuilder& builder) : builder_(builder) {}

  void OnDocumentStart(const YAML::Mark&) override { anchors_.clear(); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add({.value = std::monostate{}, .position = to_position(mark)}, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const Position position = to_position(mark);
    const bool plain = tag == "?" || tag.empty();
    if (!plain && tag != "!" && tag != "tag:yaml.org,2002:str") refuse_tag(tag, position);
    if (plain && text == "<<" && builder_.awaits_key()) {
      builder_.merge_key();
      return;
    }
    if (plain && is_json_number(text) && !fits_a_double(text)) {
      builder_.add_problem(position, fmt::format("the number {} is out of range", text));
    }
    add(plain ? plain_scalar(text, position) : Node{.value = text, .position = position}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      builder_.fail(to_position(mark), "an alias inside of what it stands for");
    } else {
      builder_.copy(found->second);
    }
    check();
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(tag, to_position(mark), anchor);
    builder_.begin_sequence(to_position(mark));
    check();
  }
  void OnSequenceEnd() override { end(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(tag, to_position(mark), anchor);
    builder_.begin_mapping(to_position(mark));
    check();
  }
  void OnMapEnd() override { end(); }

 private:
  void check() const {
    if (builder_.failed()) throw Stop{};
  }

  void refuse_tag(const std::string& tag, Position position) {
    builder_.add_problem(position, fmt::format("the tag {} is not supported: leave it out", tag));
  }

  void add(Node node, YAML::anchor_t anchor) {
    if (anchor != 0 && builder_.charge(node)) anchors_[anchor] = node;
    check();
    builder_.scalar(std::move(node));
    check();
  }

  void begin(const std::string& tag, Position position, YAML::anchor_t anchor) {
    if (!tag.empty() && tag != "?" && tag != "!") refuse_tag(tag, position);
    open_.push_back(anchor);
  }

  void end() {
    const Node* node = builder_.end();
    const YAML::anchor_t anchor = open_.back();
    open_.pop_back();
    if (anchor != 0 && node != nullptr && builder_.charge(*node)) anchors_[anchor] = *node;
    check();
  }

  TreeBuilder& builder_;
  std::vector<YAML::anchor_t> open_;  // of the collections that have begun; 0: none
  std::map<YAML::anchor_t, Node> anchors_;
};

// The length of the UTF-8 character that `text` starts with, 0 if it is none that YAML may hold.
size_t character_length(std::string_view text) {
  const auto at = [&](size_t index) -> unsigned {
    return index < text.size() ? static_cast<unsigned char>(text[index]) : 0;
  };
  const auto follows = [&](size_t index) { return (at(index) & 0xc0) == 0x80; };
  const unsigned first = at(0);
  if (first < 0x80) {
    const bool allowed = first >= 0x20 || first == '\t' || first == '\n' || first == '\r';
    return allowed && first != 0x7f ? 1 : 0;
  }
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) > 0x9f)) return 0;
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if ((first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) > 0x8f)) return 0;
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

// The place of the first byte that is no text.
std::optional<Position> find_no_text(std::string_view text) {
  Position position{1, 1};
  while (!text.empty()) {
    const size_t length = character_length(text);
    if (length == 0) return position;
    if (text.front() == '\n') {
      position = {position.line + 1, 1};
    } else {
      ++position.column;
    }
    text.remove_prefix(length);
  }
  return std::nullopt;
}

// Reads documents until the end or a failure, which is left in `builder`.
void read_documents(std::string_view text, TreeBuilder& builder, std::vector<Node>& documents) {
  std::istringstream stream{std::string(text)};
  Events events(builder);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(events)) {
      Node document = builder.take();
      if (!document.is_null()) documents.push_back(std::move(document));
    }
  } catch (const Stop&) {
  } catch (const YAML::Exception& error) {
    builder.fail(to_position(error.mark), "not YAML: " + error.msg);
  }
}

}  // namespace

YamlFile parse_yaml(std::string_view file, std::string_view text) {
  YamlFile result;
  const auto fault = [&](Position position, std::string message) {
    result.faults.push_back({.file = std::string(file),
                             .line = position.line,
                             .column = position.column,
                             .object = "",
                             .path = "",
                             .message = std::move(message)});
  };
  result.complete = false;
  if (text.size() > kYamlBytesMax) {
    fault({}, fmt::format("the file has {} bytes, at most {} are read: split it", text.size(),
                          kYamlBytesMax));
    return result;
  }
  if (const auto position = find_no_text(text)) {
    fault(*position, "a byte that is not UTF-8 text: save the file as UTF-8");
    return result;
  }
  TreeBuilder builder(kLimits);
  read_documents(text, builder, result.documents);
  result.complete = !builder.failed();
  for (const TreeBuilder::Problem& problem : builder.problems()) {
    fault(problem.position, problem.message);
  }
  return result;
}

}  // namespace searchsync::model
