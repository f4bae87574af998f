#pragma once

#include <span>

#include "lib/model/resources.h"

namespace searchsync::model {

// How often the ends of the document log have to be read, and to be folded up to, until everything
// is folded that follows from a row: once for the row, and once for each hop that it can cause
// (row -> child -> subscribe -> lookup -> ...), which the depth of the relations bounds.
int fold_rounds(std::span<const SourceBinding> bindings);

}  // namespace searchsync::model
