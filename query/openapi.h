#pragma once

#include <span>
#include <string>

#include "lib/model/resources.h"
#include "query/rules.h"
#include "query/screeners.h"

namespace searchsync::query {

// What is served, to describe it to programs.
struct ApiDescription {
  std::string index;         // as it is in paths
  model::JsonText mappings;  // of the documents
  const Rules& rules;        // of who asks
  std::span<const Screener> screeners = {};
  bool keyed = false;  // API keys are asked for
  std::span<const model::CommandSpec> commands = {};
};

// The OpenAPI 3.1 document of the service: every path, what may be asked with which field, the
// documents as the mappings have them, every error. JSON.
std::string openapi_document(const ApiDescription& api);

}  // namespace searchsync::query
