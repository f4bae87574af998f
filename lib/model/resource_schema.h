#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/resources.h"
#include "lib/model/schema.h"

namespace searchsync::model {

inline constexpr std::string_view kApiVersion = "searchsync.io/v1alpha1";
inline constexpr std::string_view kSearchIndexKind = "SearchIndex";
inline constexpr std::string_view kSourceBindingKind = "SourceBinding";

// The types of the resources, built once; all else about them is derived from here.
struct ResourceTypes {
  Typed<SearchIndex> search_index;
  Typed<SourceBinding> source_binding;
  Typed<KafkaSpec> kafka;
  Typed<IngestSpec> ingest;
  Typed<HttpSource> http_source;
  Typed<AggregatesSpec> aggregates;
  Typed<AggregateSpec> aggregate;
  Typed<SecretRef> secret_ref;
};

// Built at first use. Thread-safe.
const ResourceTypes& resource_types();

// One object, as the Kubernetes API gives it or as to_json() wrote it. Fields that the API server
// adds (status, metadata.uid, ...) are accepted and ignored.
// Errors: kInvalidArgument, the message holds every fault, one a line.
Result<SearchIndex> parse_search_index(std::string_view json);
Result<SourceBinding> parse_source_binding(std::string_view json);

// Compact JSON with apiVersion, kind and every default written out. Parsing it gives an equal
// value.
std::string to_json(const SearchIndex& index);
std::string to_json(const SourceBinding& binding);

}  // namespace searchsync::model
