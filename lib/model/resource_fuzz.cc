// Everything that reads resources, fed with bytes: it must end, in bounded memory, with faults or
// with resources that read the same when written.

#include <cstddef>
#include <cstdint>
#include <string>

#include "lib/base/check.h"
#include "lib/model/load.h"
#include "lib/model/resource_schema.h"
#include "lib/model/role_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace searchsync::model;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Loaded loaded = load_texts({{"fuzz.yaml", text}});
  for (const SearchIndex& index : loaded.resources.indices) {
    const auto again = parse_search_index(to_json(index));
    CHECK(again.has_value() && *again == index);
  }
  for (const SourceBinding& binding : loaded.resources.bindings) {
    const auto again = parse_source_binding(to_json(binding));
    CHECK(again.has_value() && *again == binding);
  }
  static_cast<void>(to_string(loaded.faults));
  static_cast<void>(parse_pipeline_config(text));
  return 0;
}
