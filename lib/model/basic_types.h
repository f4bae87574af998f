#pragma once

// The small types that the descriptions of several resources share.

#include <cstdint>
#include <string>
#include <vector>

#include "lib/model/resources.h"
#include "lib/model/schema_builder.h"

namespace searchsync::model {

inline constexpr int64_t kSecond = 1000;
inline constexpr int64_t kMinute = 60 * kSecond;
inline constexpr int64_t kHour = 60 * kMinute;
inline constexpr int64_t kDay = 24 * kHour;
inline constexpr int64_t kBillion = 1'000'000'000;

struct Basics {
  explicit Basics(Schema& schema);

  Typed<bool> boolean;
  Typed<std::string> object_name;
  Typed<std::string> dns_name;
  Typed<std::string> column;
  Typed<std::string> topic;
  Typed<std::string> document_field;
  Typed<std::vector<std::string>> columns;
  Typed<SecretRef> secret_ref;
  Typed<SecretKeyRef> secret_key_ref;
};

// schemas of the two specs; see resource_schema.h
Typed<KafkaSpec> build_kafka(Schema& schema, const Basics& basics);
Typed<IngestSpec> build_ingest(Schema& schema, const Basics& basics);
Typed<RateLimitSpec> build_rate_limit(Schema& schema);
Typed<QuerySpec> build_query(Schema& schema, const Basics& basics);
Typed<StorageSpec> build_storage(Schema& schema, const Basics& basics);
Typed<AggregatesSpec> build_aggregates(Schema& schema, Typed<StorageSpec> storage);
Typed<AggregateSpec> build_aggregate(Schema& schema, const Basics& basics);
// What an aggregate needs of the binding around it.
void add_aggregate_rules(ObjectBuilder<SourceBindingSpec>& builder);
Typed<SearchIndexSpec> build_index_spec(Schema& schema, const Basics& basics,
                                        Typed<KafkaSpec> kafka, Typed<IngestSpec> ingest,
                                        Typed<StorageSpec> storage,
                                        Typed<AggregatesSpec> aggregates);
Typed<HttpSource> build_http_source(Schema& schema, const Basics& basics);
// What an HTTP source needs of the binding around it; and its defaults that depend on that.
void add_http_rules(ObjectBuilder<SourceBindingSpec>& builder);
Typed<SourceBindingSpec> build_binding_spec(Schema& schema, const Basics& basics,
                                            Typed<HttpSource> http, Typed<AggregateSpec> aggregate);

}  // namespace searchsync::model
