#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "lib/model/fault.h"
#include "lib/model/node.h"

namespace searchsync::model {

inline constexpr size_t kYamlBytesMax = 1 << 20;
inline constexpr int kYamlDepthMax = 64;

// What one file of YAML holds. Documents that are empty are left out.
struct YamlFile {
  std::vector<Node> documents;
  std::vector<Fault> faults;
  bool complete = true;  // false: a fault hid documents
};

// Reads every document of a YAML 1.2 text. Numbers are those of JSON, booleans are `true` and
// `false`: `yes`, `0755`, `1_000` and whatever is in quotes are strings. Anchors, aliases and merge
// keys (`<<`) are resolved.
//
// file: only a name, for the faults.
// text: UTF-8, at most kYamlBytesMax; with aliases resolved at most 100,000 values, 4 MiB of text
// and kYamlDepthMax deep.
// A key written twice is a fault and its first value is kept. After a syntax error the documents
// before it are kept, the rest of the file is not read.
YamlFile parse_yaml(std::string_view file, std::string_view text);

}  // namespace searchsync::model
