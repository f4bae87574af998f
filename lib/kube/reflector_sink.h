#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lib/kube/resource.h"

namespace searchsync::kube {

// One step of a collection from a state that the server had to the next. Views are valid during the
// call that hands them over.
struct Change {
  enum class Kind { kPut, kRemoved };
  Kind kind = Kind::kPut;
  const ObjectKey& key;
  std::string_view uid;
  std::string_view resource_version;  // kRemoved: the last one known
  // kPut: JSON as the server sent it, whole or metadata only. Where it comes from a list of a
  // built-in type it lacks apiVersion and kind. kRemoved: empty.
  std::string_view object;
};

// Who follows a collection.
//
// Applied in their order, and a call's changes at once, the changes always give a state that the
// server had: an object never goes back to an older resourceVersion, and what the collection shows
// together was there together. Changes that follow each other quickly may arrive as one. An object
// deleted and created again under the same name is a kRemoved and a kPut.
class ReflectorSink {
 public:
  virtual ~ReflectorSink() = default;

  // changes: at least one.
  virtual void apply(std::span<const Change> changes) = 0;

  // All there is has been listed and applied. After the first time again after each listing.
  virtual void synced() = 0;
};

}  // namespace searchsync::kube
