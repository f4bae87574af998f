#include "capture/core/stash.h"

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::capture {

using pgoutput::Cell;

void Stash::add(const RowForm& form, const Change& change) {
  Stashed stashed{&form, change.kind, change.old_form, cells_.size(), 0};
  cells_.add_row();
  for (const Cell& cell : change.before) cells_.add_cell(cell);
  stashed.after = cells_.size();
  cells_.add_row();
  for (const Cell& cell : change.after) cells_.add_cell(cell);
  changes_.push_back(stashed);
}

void Stash::clear() {
  changes_.clear();
  cells_.clear();
}

Stash::Change Stash::change(size_t index, std::vector<Cell>& before,
                            std::vector<Cell>& after) const {
  const Stashed& stashed = changes_[index];
  return {.kind = stashed.kind,
          .old_form = stashed.old_form,
          .before = cells_.row(stashed.before, before),
          .after = cells_.row(stashed.after, after)};
}

Result<Stash::Completion> Stash::complete(Database& database, uint32_t xid) const {
  Completion completion;
  std::map<size_t, Database::Lookup> lookups;
  std::map<size_t, std::vector<size_t>> asked;  // by table: the changes, in the lookup's order
  std::vector<Cell> cells;
  for (size_t i = 0; i < changes_.size(); ++i) {
    const RowForm& form = *changes_[i].form;
    const pgoutput::Tuple after = cells_.row(changes_[i].after, cells);
    const auto missing = [](const Cell& cell) { return cell.kind == Cell::Kind::kUnchanged; };
    if (std::ranges::none_of(after, missing)) continue;
    Database::Lookup& lookup = lookups[form.table];
    lookup.table = form.table;
    lookup.xid = xid;
    for (size_t c = 0; c < after.size(); ++c) {
      const std::string& name = form.columns[c].name;
      if (missing(after[c]) && std::ranges::find(lookup.columns, name) == lookup.columns.end()) {
        lookup.columns.push_back(name);
      }
    }
    std::vector<std::string>& key = lookup.keys.emplace_back();
    for (const size_t k : form.key) key.emplace_back(after[k].text);
    asked[form.table].push_back(i);
  }
  for (auto& [table, lookup] : lookups) {
    ASSIGN_OR_RETURN(auto rows, database.rows(lookup));
    CHECK(rows.size() == lookup.keys.size());
    for (size_t r = 0; r < rows.size(); ++r) {
      completion.values[asked[table][r]] = std::move(rows[r]);
    }
    completion.columns[table] = std::move(lookup.columns);
  }
  return completion;
}

}  // namespace searchsync::capture
