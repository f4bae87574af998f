#pragma once

// A folder for the files of one test, for the tests of this folder.

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace searchsync::kube {

class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "kube-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // Puts a file there, in place of one that may be there.
  std::filesystem::path write(std::string_view name, std::string_view text) const {
    const auto draft = path_ / "draft";
    std::ofstream(draft, std::ios::binary) << text;
    std::filesystem::rename(draft, path_ / name);
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace searchsync::kube
