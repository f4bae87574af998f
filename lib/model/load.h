#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/model/fault.h"
#include "lib/model/origins.h"
#include "lib/model/resources.h"

namespace searchsync::model {

struct Loaded {
  // The objects that parsed without a fault of their own. If `faults` is not empty, do nothing with
  // them: a folder that is wrong in one place changes nothing that runs.
  Resources resources;
  Origins origins;
  std::vector<Fault> faults;  // sorted
};

struct NamedText {
  std::string file;
  std::string text;
};

// Reads every object of the texts and validates them together: all faults of all of them.
Loaded load_texts(const std::vector<NamedText>& texts);

// The same for the *.yaml and *.yml files directly in `directory`, by name, as `kubectl apply -f`
// does it: subfolders (secrets, state) and hidden files are not read. A path of one file is that
// file alone. A folder or file that cannot be read is a fault, too. At most 1000 files.
Loaded load_directory(const std::filesystem::path& directory);

}  // namespace searchsync::model
