#pragma once

#include "lib/model/schema.h"
#include "lib/model/status.h"

namespace searchsync::model {

// The types of the two statuses, built once.
struct StatusTypes {
  Typed<SearchIndexStatus> search_index;
  Typed<SourceBindingStatus> source_binding;
};

// Built at first use. Thread-safe.
const StatusTypes& status_types();

}  // namespace searchsync::model
