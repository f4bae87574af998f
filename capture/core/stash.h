#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "capture/core/envelope.h"
#include "capture/core/pgoutput.h"
#include "capture/core/row_batch.h"
#include "capture/core/seams.h"

namespace searchsync::capture {

// Changes of one transaction that wait until TOAST values missing in them, or in changes before
// them, have been asked for: all at once.
class Stash {
 public:
  enum class Kind { kInsert, kUpdate, kDelete };
  // A change; `after` may have cells that are kUnchanged.
  struct Change {
    Kind kind = Kind::kInsert;
    pgoutput::OldForm old_form = pgoutput::OldForm::kNone;
    pgoutput::Tuple before;
    pgoutput::Tuple after;
  };

  // `form` must live until clear().
  void add(const RowForm& form, const Change& change);
  bool empty() const { return changes_.empty(); }
  size_t size() const { return changes_.size(); }
  size_t bytes() const { return cells_.bytes(); }
  void clear();

  const RowForm& form(size_t index) const { return *changes_[index].form; }
  // Spans into `before` and `after`.
  Change change(size_t index, std::vector<pgoutput::Cell>& before,
                std::vector<pgoutput::Cell>& after) const;

  // What was found for the changes with missing values.
  struct Completion {
    // By change. No entry: nothing was missing. nullopt: the row is gone.
    std::map<size_t, std::optional<Database::Values>> values;
    std::map<size_t, std::vector<std::string>> columns;  // by table, the names of the values
  };
  // Asks the database, once a table.
  Result<Completion> complete(Database& database, uint32_t xid) const;

 private:
  struct Stashed {
    const RowForm* form;
    Kind kind;
    pgoutput::OldForm old_form;
    size_t before;  // rows of cells_
    size_t after;
  };
  std::vector<Stashed> changes_;
  RowBatch cells_;
};

}  // namespace searchsync::capture
