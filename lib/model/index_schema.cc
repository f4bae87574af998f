#include <fmt/core.h>

#include "lib/model/basic_types.h"

namespace searchsync::model {
namespace {

// As validate() has them; in a regular expression that a raw string of CEL can hold.
constexpr std::string_view kHost = R"(([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]))";
constexpr std::string_view kPort =
    ":0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

Typed<std::string> build_url(Schema& schema) {
  return string_type(
      schema, {1, 2048}, {},
      {{.cel = "!self.matches(r'^https?://[^/?#]*@')",
        .message = "holds credentials: put them into a secret and name it in credentialsSecretRef",
        .path = ""},
       {.cel = fmt::format(R"(self.matches(r'^https?://([^/?#]*@)?{}({})?(/[^?#\s]*)?$'))", kHost,
                           kPort),
        .message = "expected a URL as http://host:9200 or https://host:9200, without spaces, ? "
                   "and #",
        .path = ""}});
}

Typed<std::string> build_broker(Schema& schema) {
  return string_type(schema, {1, 2048}, {},
                     {{.cel = fmt::format("self.matches(r'^{}{}$')", kHost, kPort),
                       .message = "expected a broker as host:port, such as kafka:9092",
                       .path = ""}});
}

Typed<ElasticsearchSpec> build_elasticsearch(Schema& schema, const Basics& basics) {
  using T = ElasticsearchSpec;
  return ObjectBuilder<T>(schema, "ElasticsearchSpec", "How to reach Elasticsearch.")
      .field(
          "urls", &T::urls,
          list_type(schema, build_url(schema), {1, 32}, {.unique = Unique::kItems}),
          "Nodes of one cluster, as `http://host:9200` or `https://…`. Credentials belong into the "
          "secret.",
          required())
      .field("credentialsSecretRef", &T::credentials_secret_ref, basics.secret_ref,
             "A secret with `username` and `password`, or with `apiKey`.")
      .field("caSecretRef", &T::ca_secret_ref, basics.secret_key_ref,
             "The certificates to trust, PEM. Without it: the system's.")
      .build();
}

Typed<std::vector<CheckSpec>> build_checks(Schema& schema, const Basics& basics) {
  const auto hits = integer_type<int64_t>(schema, {0, INT64_C(1'000) * kBillion});
  const auto check =
      ObjectBuilder<CheckSpec>(schema, "CheckSpec",
                               "A query that a rebuilt index has to answer well before it takes "
                               "over.")
          .field("name", &CheckSpec::name, basics.object_name, "For messages.", required())
          .field("query", &CheckSpec::query, json_object_type(schema),
                 "The `query` of a search, as Elasticsearch takes it.", required())
          .field("hitsMin", &CheckSpec::hits_min, hits, "At least so many documents match.")
          .field("hitsMax", &CheckSpec::hits_max, hits, "At most so many documents match.")
          .rule({.cel = "!has(self.hitsMax) || self.hitsMin <= self.hitsMax",
                 .message = "is more than hitsMax: no index could pass; lower it, or raise hitsMax",
                 .path = "hitsMin"},
                [](const CheckSpec& spec) {
                  return !spec.hits_max || spec.hits_min <= *spec.hits_max;
                })
          .build();
  return list_type(schema, check, {0, 32}, {.unique = Unique::kKey, .key = "name"});
}

Typed<ReindexSpec> build_reindex(Schema& schema, const Basics& basics,
                                 Typed<std::string> index_name) {
  const auto approval = enum_type<Approval>(
      schema, "Approval",
      {{Approval::kAutomatic, "Automatic", "When the conditions of `cutover` hold."},
       {Approval::kManual, "Manual", "When they hold and a person has approved it."}});
  const auto cutover =
      ObjectBuilder<CutoverSpec>(schema, "CutoverSpec",
                                 "When a rebuilt index may take over from the one in service.")
          .field("maxLagRecords", &CutoverSpec::max_lag_records,
                 integer_type<int64_t>(schema, {0, kBillion}),
                 "The rebuilt index is at most this many records behind when it is about to take "
                 "over. Readers see no older document even so.")
          .field("stableFor", &CutoverSpec::stable_for,
                 duration_type<std::chrono::seconds>(schema, {0, kDay}),
                 "For at least this long. The first index of all does not wait for it.")
          .build();
  return ObjectBuilder<ReindexSpec>(schema, "ReindexSpec",
                                    "What happens when mappings, settings or fields change: a new "
                                    "index is built beside the one in service, and then takes "
                                    "over.")
      .field("approval", &ReindexSpec::approval, approval, "When the new index takes over.")
      .field("approved", &ReindexSpec::approved, index_name,
             "With `approval: Manual`: the index that may take over, by the name that the status "
             "says.")
      .field("serve", &ReindexSpec::serve, index_name,
             "An index that is kept warm, to go back to: readers read it, whatever is declared, "
             "until this is taken away.")
      .field("revision", &ReindexSpec::revision, integer_type<int32_t>(schema, {0, 1'000'000'000}),
             "Another number builds the index anew though nothing else has changed.")
      .field("cutover", &ReindexSpec::cutover, cutover, "The conditions for it.")
      .field("checks", &ReindexSpec::checks, build_checks(schema, basics),
             "Queries that the new index must answer as said before it takes over.")
      .field("keepWarm", &ReindexSpec::keep_warm,
             duration_type<std::chrono::seconds>(schema, {0, 90 * kDay}),
             "How long the old index is kept up to date, to go back to at once.")
      .rule({.cel = "!has(self.approved) || self.approval == 'Manual'",
             .message = "has no meaning without `approval: Manual`: add that, or remove this",
             .path = "approved"},
            [](const ReindexSpec& spec) {
              return !spec.approved || spec.approval == Approval::kManual;
            })
      .build();
}

Typed<AutoscalingSpec> build_autoscaling(Schema& schema) {
  using T = AutoscalingSpec;
  const auto seconds = duration_type<std::chrono::seconds>(schema, {kSecond, kDay});
  return ObjectBuilder<T>(schema, "AutoscalingSpec",
                          "Workers come and go with what there is to do. Where the lag is not "
                          "known their number stays.")
      .field("min", &T::min, integer_type<int32_t>(schema, {0, 1024}),
             "The fewest. With 0 there is none while nothing arrives.")
      .field("max", &T::max, integer_type<int32_t>(schema, {1, 1024}),
             "The most; more than `partitions` would have nothing to do.", required())
      .field("targetLag", &T::target_lag, seconds, "How far behind the index may be.")
      .field("scaleDownAfter", &T::scale_down_after, seconds,
             "How long fewer must have been enough before there are fewer.")
      .rule({.cel = "self.min <= self.max",
             .message = "is more than max: lower it, or raise max",
             .path = "min"},
            [](const T& spec) { return spec.min <= spec.max; })
      .build();
}

Typed<WorkersSpec> build_workers(Schema& schema, Typed<StorageSpec> storage) {
  using std::chrono::milliseconds;
  const auto bulk =
      ObjectBuilder<BulkSpec>(schema, "BulkSpec",
                              "The bounds of the requests that write documents.")
          .field("documentsMax", &BulkSpec::documents_max,
                 integer_type<int32_t>(schema, {1, 10'000}), "Documents in one request.")
          .field("bytesMax", &BulkSpec::bytes_max,
                 integer_type<int32_t>(schema, {1024, 100 * 1024 * 1024}), "Bytes in one request.")
          .field("delay", &BulkSpec::delay, duration_type<milliseconds>(schema, {0, 10 * kSecond}),
                 "How long a request may wait for more documents.")
          .field("requestsInFlight", &BulkSpec::requests_in_flight,
                 integer_type<int32_t>(schema, {1, 64}), "Requests of one worker at a time.")
          .build();
  return ObjectBuilder<WorkersSpec>(schema, "WorkersSpec",
                                    "The processes that keep the index up to date.")
      .field("partitions", &WorkersSpec::partitions, integer_type<int32_t>(schema, {1, 1024}),
             "Of the document log: the most workers that can share the index.", immutable())
      .field("replicas", &WorkersSpec::replicas, integer_type<int32_t>(schema, {0, 1024}),
             "The number of workers, where `autoscaling` does not decide it. With 0 the index "
             "falls behind.")
      .field("autoscaling", &WorkersSpec::autoscaling, build_autoscaling(schema),
             "On a cluster: lets the operator decide on the number of workers.")
      .field("sessionTimeout", &WorkersSpec::session_timeout,
             duration_type<std::chrono::seconds>(schema, {kSecond, 30 * kMinute}),
             "After which Kafka gives a silent worker's partitions to another. The brokers' "
             "`group.min.session.timeout.ms` bounds it from below.")
      .field("bulk", &WorkersSpec::bulk, bulk, "The bounds of bulk requests.")
      .field("storage", &WorkersSpec::storage, storage,
             "On a cluster: volumes for the workers' state. Without it: the node's disk.")
      .field("resources", &WorkersSpec::resources, json_object_type(schema),
             "On a cluster: `requests` and `limits` of a worker's container.")
      .rule({.cel = "!has(self.autoscaling) || self.autoscaling.max <= self.partitions",
             .message = "is more than `workers.partitions`, and a worker without a partition has "
                        "nothing to do: lower it",
             .path = "autoscaling.max"},
            [](const WorkersSpec& spec) {
              return !spec.autoscaling || spec.autoscaling->max <= spec.partitions;
            })
      .build();
}

Typed<TablesSpec> build_tables(Schema& schema) {
  return ObjectBuilder<TablesSpec>(schema, "TablesSpec",
                                   "All tables of a database, one to one, each in an index of its "
                                   "own; see `docs/database.md`.")
      .field("mappings", &TablesSpec::mappings, json_object_type(schema),
             "By `schema.table`, then by column: the mapping of its field, in place of that which "
             "the column's type gives it.")
      .build();
}

bool has_own_queries(const SearchIndexSpec& spec) {
  const QuerySpec& query = spec.query;
  return !query.filterable.empty() || !query.screeners.empty() || !query.relations.empty() ||
         query.absent || query.commands;
}

void add_tables_rules(ObjectBuilder<SearchIndexSpec>& builder) {
  using T = SearchIndexSpec;
  builder
      .rule({.cel = "has(self.mappings) != has(self.tables)",
             .message = "expected exactly one of mappings and tables: add one, or keep one",
             .path = "mappings"},
            [](const T& spec) { return spec.mappings.text.empty() == spec.tables.has_value(); })
      .rule({.cel = "has(self.tables) == has(oldSelf.tables)",
             .message = "cannot come or go: create another SearchIndex, then delete this one",
             .path = "tables"})
      .rule({.cel = "!has(self.tables) || !has(self.partitioning)",
             .message = "has no meaning with `tables`: give a table of events an index of its own",
             .path = "partitioning"},
            [](const T& spec) { return !spec.tables || !spec.partitioning; })
      .rule(
          {.cel = "!has(self.tables) || !has(self.query) || (!has(self.query.absent) && "
                  "!has(self.query.commands) && (!has(self.query.filterable) || "
                  "self.query.filterable.size() == 0) && "
                  "(!has(self.query.screeners) || self.query.screeners.size() == 0) && "
                  "(!has(self.query.relations) || self.query.relations.size() == 0))",
           .message = "filterable, screeners, relations, absent and commands are of one index, and "
                      "with `tables` there are many, which relate by their foreign keys: remove "
                      "them",
           .path = "query"},
          [](const T& spec) { return !spec.tables || !has_own_queries(spec); })
      .rule({.cel = "!has(self.tables) || !has(self.reindex) || !has(self.reindex.checks) || "
                    "self.reindex.checks.size() == 0",
             .message = "are of one index, and with `tables` there are many: remove them",
             .path = "reindex.checks"},
            [](const T& spec) { return !spec.tables || spec.reindex.checks.empty(); });
}

// In milliseconds, as the rules of durations have it.
constexpr std::string_view kRetainAtMost =
    "[int(self.retain.find('[0-9]+')) * {{'ms': 1, 's': 1000, 'm': 60000, 'h': 3600000, 'd': "
    "86400000}}[self.retain.find('[a-z]+')]].all(ms, ms <= {})";
constexpr std::chrono::hours kHoursRetainMax{100 * 24};

Typed<PartitioningSpec> build_partitioning(Schema& schema, const Basics& basics) {
  using T = PartitioningSpec;
  const auto every = enum_type<Every>(schema, "Every",
                                      {{Every::kHour, "Hour", "An index for each hour."},
                                       {Every::kDay, "Day", "An index for each day."},
                                       {Every::kMonth, "Month", "An index for each month."}});
  const auto on_mapping_change = enum_type<OnMappingChange>(
      schema, "OnMappingChange",
      {{OnMappingChange::kRebuild, "Rebuild",
        "A new index is built beside the one in service, and then takes over."},
       {OnMappingChange::kNewPartitions, "NewPartitions",
        "Partitions made from then on have it, older ones get the new fields, and documents stay "
        "as they are until something touches them. For new fields in objects that are `dynamic: "
        "strict`, fields that are gone, and settings of storage; what else changes rebuilds the "
        "index."}});
  const int64_t hours_max = std::chrono::milliseconds(kHoursRetainMax).count();
  return ObjectBuilder<T>(schema, "PartitioningSpec",
                          "The documents are spread over an index for each hour, day or month "
                          "(UTC) of a time, and old indices are dropped whole. For events.")
      .field("field", &T::field, basics.document_field,
             "The time: a `date` of the mappings, which the root binding's own row fills. What has "
             "none is a dead letter.",
             required())
      .field("every", &T::every, every, "What one partition holds. A change rebuilds the index.")
      .field("retain", &T::retain,
             duration_type<std::chrono::seconds>(schema, {kHour, 3650 * kDay}),
             "How long a partition is kept after its end; with `every: Hour` at most 100d. Shorter "
             "applies in place, and drops what is older. Longer only does for a new index: see "
             "`reindex.revision`.",
             required())
      .field("ahead", &T::ahead, duration_type<std::chrono::seconds>(schema, {0, 30 * kDay}),
             "How far ahead of now the time may be; what is further is a dead letter. A change "
             "rebuilds the index.")
      .field("routing", &T::routing, basics.document_field,
             "A field, filled by the root binding's own row: documents with the same value are in "
             "the same shard. Without it: by the document's id. A change rebuilds the index.")
      .field("onMappingChange", &T::on_mapping_change, on_mapping_change,
             "What follows from a change of `mappings`, `settings` or a binding's `fields`.")
      .rule({.cel = "self.every != 'Hour' || " + fmt::format(kRetainAtMost, hours_max),
             .message = "is more than 100d, which is too many indices of an hour: keep less, or "
                        "choose `every: Day`",
             .path = "retain"},
            [](const T& spec) {
              return spec.every != Every::kHour || spec.retain <= kHoursRetainMax;
            })
      .build();
}

}  // namespace

Typed<KafkaSpec> build_kafka(Schema& schema, const Basics& basics) {
  using T = KafkaSpec;
  return ObjectBuilder<T>(schema, "KafkaSpec", "How to reach Kafka.")
      .field("bootstrapServers", &T::bootstrap_servers,
             list_type(schema, build_broker(schema), {1, 32}, {.unique = Unique::kItems}),
             "Brokers of one cluster, as `host:port`.", required())
      .field("credentialsSecretRef", &T::credentials_secret_ref, basics.secret_ref,
             "A secret with `mechanism` (PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512), `username` and "
             "`password`.")
      .field("caSecretRef", &T::ca_secret_ref, basics.secret_key_ref,
             "The certificates to trust, PEM. With it the connection is encrypted.")
      .field("replicationFactor", &T::replication_factor, integer_type<int32_t>(schema, {1, 15}),
             "Of the topics that SearchSync creates.")
      .build();
}

Typed<IngestSpec> build_ingest(Schema& schema, const Basics& basics) {
  using T = IngestSpec;
  return ObjectBuilder<T>(schema, "IngestSpec",
                          "The processes that take events, where a binding has an `http` source.")
      .field("replicas", &T::replicas, integer_type<int32_t>(schema, {0, 256}),
             "The number of ingest processes.")
      .field("port", &T::port, integer_type<int32_t>(schema, {0, 65535}),
             "Where they listen. 0: a free port, for `searchsync run`.")
      .field("connections", &T::connections, integer_type<int32_t>(schema, {1, 4096}),
             "Connections that one process serves at a time. As many again may wait; further ones "
             "are answered 503.")
      .field("deadline", &T::deadline,
             duration_type<std::chrono::milliseconds>(schema, {kSecond, 20 * kSecond}),
             "After which events that Kafka has not acknowledged are answered 503.")
      .field("tlsSecretRef", &T::tls_secret_ref, basics.secret_ref,
             "A secret with `tls.crt` and `tls.key`: events are taken over HTTPS only.")
      .field("resources", &T::resources, json_object_type(schema),
             "On a cluster: `requests` and `limits` of an ingest container.")
      .build();
}

Typed<StorageSpec> build_storage(Schema& schema, const Basics& basics) {
  using T = StorageSpec;
  return ObjectBuilder<T>(schema, "StorageSpec",
                          "A volume for each process. It only saves time: what is lost with it is "
                          "read from Kafka again.")
      .field("size", &T::size,
             string_type(schema, {2, 32},
                         Pattern{"[1-9][0-9]*(Mi|Gi|Ti|M|G|T)", "a size such as 10Gi"}),
             "Of the volume.", required())
      .field("storageClassName", &T::storage_class_name, basics.dns_name,
             "The kind of storage. Without it: the cluster's default.")
      .build();
}

Typed<SearchIndexSpec> build_index_spec(Schema& schema, const Basics& basics,
                                        Typed<KafkaSpec> kafka, Typed<IngestSpec> ingest,
                                        Typed<StorageSpec> storage,
                                        Typed<AggregatesSpec> aggregates) {
  using T = SearchIndexSpec;
  const auto index_name = string_type(
      schema, {1, 200},
      Pattern{R"([^-_+.A-Z\\/*?"<>|\s\v,#:][^A-Z\\/*?"<>|\s\v,#:]*)",
              R"(an index name: no capitals, no spaces, none of \ / * ? " < > | , # : and not )"
              "starting with - _ + or a dot"});
  const auto deletion = enum_type<DeletionPolicy>(
      schema, "DeletionPolicy",
      {{DeletionPolicy::kRetain, "Retain", "The index, its alias and its topics stay."},
       {DeletionPolicy::kDelete, "Delete", "They are deleted with the resource."}});
  const auto drift =
      enum_type<Drift>(schema, "Drift",
                       {{Drift::kCorrect, "Correct",
                         "The alias, `replicas`, `refreshInterval`, `index.gc_deletes` and the "
                         "mappings' `_meta` are put right. Fields and `settings` are not, since "
                         "most cannot be changed in place: the status says what differs, and a new "
                         "index, which `reindex.revision` asks for, is as declared."},
                        {Drift::kReport, "Report",
                         "It stays, and the status says so. While the alias leads elsewhere "
                         "nothing else is changed either; indexing goes on."}});
  const auto adoption = enum_type<Adoption>(
      schema, "Adoption",
      {{Adoption::kRefuse, "Refuse", "It is not touched, and the status says so."},
       {Adoption::kTakeAlias, "TakeAlias",
        "When the new index is complete the alias moves to it; the other index stays."}});
  const auto shards = integer_type<int32_t>(schema, {1, 1024});
  const auto replicas = integer_type<int32_t>(schema, {0, 32});
  const auto json = json_object_type(schema);
  ObjectBuilder<T> builder(schema, "SearchIndexSpec",
                           "What the documents are, how they are served.");
  builder
      .field("elasticsearch", &T::elasticsearch, build_elasticsearch(schema, basics),
             "Where the index is.", required())
      .field("kafka", &T::kafka, kafka, "Where the document log and the sources' topics are.",
             required())
      .field("indexName", &T::index_name, index_name,
             "The alias that readers use; the indices behind it are called `<indexName>-<hash>`.",
             {.mutability = Mutability::kImmutable, .default_says = "the resource's name"})
      .field("shards", &T::shards, shards, "Primary shards. A change rebuilds the index.")
      .field("replicas", &T::replicas, replicas, "Copies of each shard. Changes in place.")
      .field("refreshInterval", &T::refresh_interval,
             duration_type<std::chrono::milliseconds>(schema, {100, kHour}),
             "How often new documents become visible to searches. Changes in place.")
      .field(
          "mappings", &T::mappings, json_object_type(schema, {"properties"}),
          "The `mappings` of the index, as Elasticsearch takes them. With `dynamic: strict` every "
          "field that a binding writes must be there.",
          {.default_says = "required without `tables`", .written = Written::kIfNotDefault})
      .field("tables", &T::tables, build_tables(schema),
             "In place of `mappings`: every table of the database that its binding names is kept "
             "in an index `<indexName>-<table>`. Cannot come or go.")
      .field("settings", &T::settings, json, "Further `settings` of the index, such as `analysis`.")
      .field("partitioning", &T::partitioning, build_partitioning(schema, basics),
             "An index for each stretch of time. Without it all documents are in one.")
      .field("reindex", &T::reindex, build_reindex(schema, basics, index_name),
             "How a changed index takes over.")
      .field("workers", &T::workers, build_workers(schema, storage), "The workers.")
      .field("query", &T::query, build_query(schema, basics), "The query service.")
      .field("ingest", &T::ingest, ingest, "The ingest service.")
      .field("aggregates", &T::aggregates, aggregates, "The processes that aggregate events.")
      .field("deletionPolicy", &T::deletion_policy, deletion,
             "What happens to the data when the resource is deleted.")
      .field("drift", &T::drift, drift,
             "What happens when somebody else changes the alias, a setting that is declared, or "
             "the mappings.")
      .field("adoption", &T::adoption, adoption,
             "What happens when the alias is there already and leads to an index that SearchSync "
             "has not made. Such an index is never changed, and one that has the alias's own name "
             "has to go before there can be an alias.")
      .field("suspend", &T::suspend, basics.boolean,
             "True: nothing is changed and no worker runs; queries are still answered.");
  add_tables_rules(builder);
  return builder.build();
}

}  // namespace searchsync::model
