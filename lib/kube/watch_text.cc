#include "lib/kube/watch_text.h"

#include <simdjson.h>

namespace searchsync::kube {
namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

std::unexpected<Error> malformed(std::string text) {
  return fail(ErrorCode::kMalformed, std::move(text));
}

std::string_view text_at(const dom::element& object, std::string_view name) {
  std::string_view text;
  return object[name].get(text) ? std::string_view() : text;
}

// What ondemand hands out may end in the white space before what follows.
std::string_view trimmed(std::string_view text) {
  const size_t last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

Result<ObjectText> read_head(const dom::element& object, Scope scope) {
  dom::element metadata;
  if (object["metadata"].get(metadata)) return malformed("an object has no metadata");
  ObjectText head{.key = {.namespace_ = std::string(text_at(metadata, "namespace")),
                          .name = std::string(text_at(metadata, "name"))},
                  .uid = text_at(metadata, "uid"),
                  .resource_version = text_at(metadata, "resourceVersion"),
                  .object = {}};
  if (head.key.name.empty() || head.uid.empty() || head.resource_version.empty() ||
      head.key.namespace_.empty() != (scope == Scope::kCluster)) {
    return malformed("an object lacks a part of name, namespace, uid and resourceVersion");
  }
  return head;
}

// Reads each text twice: once as a whole, so that nothing but JSON is passed on, and once for where
// in it the objects are. Both are faster than writing the objects anew.
class Parser {
 public:
  // text: with room for SIMDJSON_PADDING; to be left alone while anything of it is in use.
  Result<dom::element> parse(simdjson::padded_string_view text) {
    text_ = text;
    dom::element root;
    if (whole_.parse(text_).get(root) || !root.is_object())
      return malformed("it is no JSON object");
    return root;
  }

  // The value of `name` in the text, as it is written.
  Result<std::string_view> raw(std::string_view name) {
    ondemand::object found;
    std::string_view written;
    if (places_.iterate(text_).get(document_) ||
        document_.find_field_unordered(name).get_object().get(found) ||
        found.raw_json().get(written)) {
      return malformed("an event has no object");
    }
    return trimmed(written);
  }

  Result<void> locate(std::vector<PageItem>& items);

 private:
  dom::parser whole_;
  ondemand::parser places_;
  simdjson::padded_string_view text_;
  ondemand::document document_;
};

Result<void> Parser::locate(std::vector<PageItem>& items) {
  ondemand::array array;
  if (places_.iterate(text_).get(document_) ||
      document_.find_field_unordered("items").get_array().get(array)) {
    return malformed("a list has no items");
  }
  size_t index = 0;
  for (auto element : array) {
    ondemand::object object;
    std::string_view written;
    if (index == items.size() || element.get_object().get(object) ||
        object.raw_json().get(written)) {
      return malformed("an item is no object");
    }
    items[index++].object = trimmed(written);
  }
  return index == items.size() ? Result<void>() : malformed("a list has its items twice");
}

}  // namespace

struct WatchText::Impl {
  explicit Impl(Scope of) : scope(of) {}

  const Scope scope;
  simdjson::padded_string line;
  Parser parser;
};

WatchText::WatchText(Scope scope) : impl_(std::make_unique<Impl>(scope)) {}
WatchText::~WatchText() = default;

Result<WatchEvent> WatchText::read_event(std::string_view line) {
  impl_->line = simdjson::padded_string(line);
  ASSIGN_OR_RETURN(const dom::element root, impl_->parser.parse(impl_->line));
  const std::string_view type = text_at(root, "type");
  dom::element object;
  if (root["object"].get(object) || !object.is_object()) {
    return malformed("an event has no object");
  }
  WatchEvent event;
  if (type == "ERROR") {
    int64_t code = 0;
    if (object["code"].get(code) || code < 400 || code > 599) code = 500;
    event.error_code = static_cast<int>(code);
    event.message = std::string(text_at(object, "message").substr(0, 500));
    return event;
  }
  if (type == "BOOKMARK") {
    dom::element metadata;
    if (object["metadata"].get(metadata)) return malformed("a bookmark has no metadata");
    event.type = WatchEvent::Type::kBookmark;
    event.object.resource_version = text_at(metadata, "resourceVersion");
    if (event.object.resource_version.empty()) return malformed("a bookmark marks nothing");
    return event;
  }
  if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") {
    return malformed("an event has a type that is not known");
  }
  event.type = type == "DELETED" ? WatchEvent::Type::kDeleted : WatchEvent::Type::kPut;
  ASSIGN_OR_RETURN(event.object, read_head(object, impl_->scope));
  ASSIGN_OR_RETURN(event.object.object, impl_->parser.raw("object"));
  return event;
}

Result<PageText> WatchText::read_page(std::string body) const {
  PageText page{.text = std::move(body)};
  const size_t length = page.text.size();
  page.text.reserve(length + simdjson::SIMDJSON_PADDING);
  Parser parser;
  ASSIGN_OR_RETURN(const dom::element root, parser.parse(simdjson::padded_string_view(
                                                page.text.data(), length, page.text.capacity())));
  dom::element metadata;
  if (root["metadata"].get(metadata)) return malformed("a list has no metadata");
  page.resource_version = text_at(metadata, "resourceVersion");
  page.continue_token = text_at(metadata, "continue");
  if (page.resource_version.empty()) return malformed("a list has no resourceVersion");
  dom::element value;
  if (root["items"].get(value)) return malformed("a list has no items");
  if (value.is_null()) return page;
  dom::array items;
  if (value.get(items)) return malformed("a list has items that are no array");
  for (const dom::element item : items) {
    ASSIGN_OR_RETURN(ObjectText head, read_head(item, impl_->scope));
    page.items.push_back({.key = std::move(head.key),
                          .uid = std::string(head.uid),
                          .resource_version = std::string(head.resource_version),
                          .object = {}});
  }
  RETURN_IF_ERROR(parser.locate(page.items));
  return page;
}

}  // namespace searchsync::kube
