#pragma once

// build(root, rows): the one pure function that makes a document. The worker, the tests and the
// reconciliation all call it, with rows from different places.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/function_ref.h"
#include "lib/model/pipeline.h"

namespace searchsync::worker {

// What is known of a row.
enum class Known {
  kUnknown,  // nothing yet
  kAbsent,
  kPresent,
};

// Where build() finds rows. Tuples are as Projector writes them; views are valid until the next
// call.
class RowReader {
 public:
  virtual ~RowReader() = default;
  // kAbsent if it was deleted, kUnknown if it was never seen.
  virtual Known root(std::string_view key, std::string& tuple) = 0;
  virtual Known lookup(model::BindingId binding, std::string_view key, std::string& tuple) = 0;
  // Calls visit(binding, side, key, tuple) for each row that belongs to the root.
  virtual void children(
      std::string_view root,
      FunctionRef<void(model::BindingId, uint8_t, std::string_view, std::string_view)> visit) = 0;
};

enum class Built {
  kDocument,  // write it
  kNone,      // it is not in the index: delete it
  kWaiting,   // the root, or a row it refers to, is not known yet: write nothing
};

// Makes documents of one pipeline. Keeps buffers between calls; not thread-safe.
class Builder {
 public:
  // `pipeline` outlives the builder.
  explicit Builder(const model::Pipeline& pipeline);
  ~Builder();

  // Appends the document, one JSON object without line breaks, to `out` if the result is kDocument,
  // and leaves it as it was otherwise. A row's own fields come first, as declared, then those of
  // what it refers to, arrays last; the elements of an array in their declared order, then by key.
  Built build(std::string_view root, RowReader& rows, std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Orders two fragments of JSON as ORDER BY would: missing values last, numbers by value, times by
// time, other text by its bytes.
int compare_fragments(std::string_view a, std::string_view b);

}  // namespace searchsync::worker
