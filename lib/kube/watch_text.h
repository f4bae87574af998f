#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/kube/resource.h"

namespace searchsync::kube {

// One object as a list or a watch has it.
struct ObjectText {
  ObjectKey key;
  std::string_view uid;
  std::string_view resource_version;
  std::string_view object;  // JSON
};

struct WatchEvent {
  enum class Type { kPut, kDeleted, kBookmark, kError };
  Type type = Type::kError;
  ObjectText object;    // of kBookmark only the resource_version
  int error_code = 0;   // of kError: as an HTTP status
  std::string message;  // of kError
};

struct PageItem {
  ObjectKey key;
  std::string uid;
  std::string resource_version;
  std::string_view object;  // JSON, in the page's text
};

struct PageText {
  std::string text;  // may be moved, and nothing else while its items are in use
  std::vector<PageItem> items;
  std::string resource_version;
  std::string continue_token;  // empty: the last page
};

// Reads what a watch or list sends. All is checked to be JSON, and every object to have a name, a
// namespace where its type has one, a uid and a resourceVersion. Not thread-safe. Errors:
// kMalformed, without any content.
// Source: Kubernetes API concepts, "Efficient detection of changes".
class WatchText {
 public:
  explicit WatchText(Scope scope);
  ~WatchText();
  WatchText(const WatchText&) = delete;
  WatchText& operator=(const WatchText&) = delete;

  // line: without its line break. Views are valid until the next call.
  Result<WatchEvent> read_event(std::string_view line);
  // Keeps none of the memory that it takes, many times what the page does.
  Result<PageText> read_page(std::string body) const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::kube
