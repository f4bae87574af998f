#pragma once

// The columns that are kept of a row, in the order of its binding's slots, each as a fragment of
// JSON.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/pipeline.h"

namespace searchsync::worker {

// Reads an encoded tuple in place. A column that the row does not have is an empty fragment.
class TupleView {
 public:
  // `encoded` is what Projector wrote, and outlives the view.
  void parse(std::string_view encoded);
  std::string_view slot(model::Slot slot) const {
    return slot < slots_.size() ? slots_[slot] : std::string_view();
  }

 private:
  std::vector<std::string_view> slots_;
};

// The text by which rows are found, from fragments of JSON: a string's content, a number's digits.
// Several columns are joined by the byte 0x1f. Returns false, with `out` undefined, if one of them
// is null or missing, or if the text is longer than any row's key.
bool key_text(const TupleView& tuple, const std::vector<model::Slot>& slots, std::string& out);

// Appends one of several columns to a key text. False as append_scalar_text().
bool append_key_part(std::string_view fragment, size_t index, size_t columns, std::string& out);

// Appends the content of one JSON scalar to `out`: a string without quotes and escapes, anything
// else as it stands. False if it is null, missing, or no scalar.
bool append_scalar_text(std::string_view fragment, std::string& out);

// Cuts rows down to the slots of one binding. Keeps buffers between calls; not thread-safe.
class Projector {
 public:
  explicit Projector(const model::BindingPlan& plan);
  ~Projector();
  Projector(Projector&&) noexcept;

  // row: a canonical JSON object. Replaces `out` by its tuple. Errors: kMalformed, also where a
  // value cannot be converted to the type of its field; names the column. The tuple is then without
  // that value, or, if the row is no object, without any.
  Result<void> project(std::string_view row, std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::worker
