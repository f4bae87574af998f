#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "operator/control/notes.h"

namespace searchsync::control {

using AllNotes = std::map<plan::ObjectKey, plan::IndexNotes>;

std::string notes_to_json(const AllNotes& notes);
std::string notes_to_json(const plan::IndexNotes& notes);
// Errors: kMalformed.
Result<AllNotes> notes_from_json(std::string_view text);
Result<plan::IndexNotes> index_notes_from_json(std::string_view text);

// The planner's notes in a file that is always whole: written beside it, then renamed.
class NotesFile final : public Notes {
 public:
  // A file that is missing or cannot be read is no notes: losing them costs time only (notes.h).
  explicit NotesFile(std::filesystem::path path);

  const AllNotes& all() const { return notes_; }
  plan::IndexNotes get(const plan::ObjectKey& index) const override;
  Result<void> update(const plan::ObjectKey& index, plan::IndexNotes notes) override;
  Result<void> forget(const plan::ObjectKey& index) override;

 private:
  Result<void> write() const;

  const std::filesystem::path path_;
  AllNotes notes_;
};

// Replaces the file's content; a reader sees the old or the new, whole.
Result<void> write_file(const std::filesystem::path& path, std::string_view text);

// kNotFound if there is none.
Result<std::string> read_file(const std::filesystem::path& path);

}  // namespace searchsync::control
