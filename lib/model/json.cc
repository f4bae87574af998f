#include "lib/model/json.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "lib/model/tree_builder.h"

namespace searchsync::model {
namespace {

constexpr size_t kJsonBytesMax = 16 << 20;
constexpr TreeBuilder::Limits kLimits{
    .nodes = 2'000'000, .text_bytes = kJsonBytesMax, .depth = kJsonDepthMax};

// Feeds a TreeBuilder from nlohmann's events.
class Events : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Events(TreeBuilder& builder) : builder_(builder) {}

  const std::string& syntax_error() const { return syntax_error_; }

  bool null() override { return add({}); }
  bool boolean(bool value) override { return add({.value = value, .position = {}}); }
  bool number_integer(int64_t value) override { return add({.value = value, .position = {}}); }
  bool number_unsigned(uint64_t value) override {
    if (value <= static_cast<uint64_t>(INT64_MAX)) {
      return add({.value = static_cast<int64_t>(value), .position = {}});
    }
    return add({.value = Node::Decimal{std::to_string(value)}, .position = {}});
  }
  bool number_float(double, const std::string& text) override {
    return add({.value = Node::Decimal{text}, .position = {}});
  }
  bool string(std::string& text) override {
    return add({.value = std::move(text), .position = {}});
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override {
    builder_.begin_mapping({});
    return !builder_.failed();
  }
  bool key(std::string& text) override { return string(text); }
  bool end_object() override { return end(); }
  bool start_array(size_t) override {
    builder_.begin_sequence({});
    return !builder_.failed();
  }
  bool end_array() override { return end(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    syntax_error_ = error.what();
    return false;
  }

 private:
  bool add(Node node) {
    builder_.scalar(std::move(node));
    return !builder_.failed();
  }
  bool end() {
    builder_.end();
    return !builder_.failed();
  }

  TreeBuilder& builder_;
  std::string syntax_error_;
};

}  // namespace

Result<Node> parse_json(std::string_view text) {
  if (text.size() > kJsonBytesMax) {
    return fail(ErrorCode::kLimit,
                fmt::format("JSON of {} bytes: at most {} are read", text.size(), kJsonBytesMax));
  }
  TreeBuilder builder(kLimits);
  Events events(builder);
  const bool complete = nlohmann::json::sax_parse(text.begin(), text.end(), &events);
  if (!events.syntax_error().empty()) {
    return fail(ErrorCode::kMalformed, "not JSON: " + events.syntax_error());
  }
  if (builder.failed()) {
    return fail(ErrorCode::kLimit, "JSON: " + builder.problems().back().message);
  }
  if (!builder.problems().empty()) {
    return fail(ErrorCode::kMalformed, "JSON: " + builder.problems().front().message);
  }
  if (!complete) return fail(ErrorCode::kMalformed, "not JSON");
  return builder.take();
}

Result<std::string> canonical_json(std::string_view text) {
  ASSIGN_OR_RETURN(const Node node, parse_json(text));
  return to_canonical_json(node);
}

}  // namespace searchsync::model
