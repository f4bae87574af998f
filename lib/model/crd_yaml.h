#pragma once

#include <string>

#include "lib/model/node.h"

namespace searchsync::model {

// YAML in block style, for people to read: keys in the order they have, long texts folded at 100
// columns, lists of scalars on one line where they fit. Every parser, of YAML 1.1 too, reads the
// same from it.
//
// node: a mapping; texts are UTF-8.
std::string write_yaml(const Node& node);

}  // namespace searchsync::model
