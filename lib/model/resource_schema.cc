#include "lib/model/resource_schema.h"

#include "lib/model/schema_builder.h"

namespace searchsync::model {
namespace {

constexpr int64_t kSecond = 1000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kBillion = 1'000'000'000;

// The small types that many fields share.
struct Basics {
  explicit Basics(Schema& schema);

  Typed<bool> boolean;
  Typed<std::string> text;
  Typed<std::string> object_name;
  Typed<std::string> column;
  Typed<std::string> topic;
  Typed<std::string> document_field;
  Typed<std::vector<std::string>> columns;
  Typed<SecretRef> secret_ref;
  Typed<SecretKeyRef> secret_key_ref;
};

Basics::Basics(Schema& schema)
    : boolean(boolean_type(schema)),
      text(string_type(schema, {1, 2048})),
      object_name(string_type(
          schema, {1, 63},
          Pattern{
              "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
              "a name of lowercase letters, digits and -, with a letter or digit at both ends"})),
      column(string_type(schema, {1, 256})),
      topic(string_type(
          schema, {1, 249},
          Pattern{"[a-zA-Z0-9_-][a-zA-Z0-9._-]*", "a name of letters, digits, dots, _ and -"})),
      document_field(
          string_type(schema, {1, 256},
                      Pattern{R"([^.\s"\\]+(\.[^.\s"\\]+)*)",
                              "names joined by dots, without spaces, quotes or backslashes"})),
      columns(list_type(schema, column, {1, 16})) {
  const auto secret_name =
      string_type(schema, {1, 253},
                  Pattern{"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
                          "a secret's name: lowercase letters, digits, - and dots"});
  secret_ref =
      ObjectBuilder<SecretRef>(schema, "SecretRef",
                               "A secret in the namespace, or folder, of the resource. Its "
                               "keys are fixed by what it is used for.")
          .field("name", &SecretRef::name, secret_name, "The secret's name.", required())
          .build();
  secret_key_ref =
      ObjectBuilder<SecretKeyRef>(schema, "SecretKeyRef", "One entry of a secret.")
          .field("name", &SecretKeyRef::name, secret_name, "The secret's name.", required())
          .field("key", &SecretKeyRef::key,
                 string_type(schema, {1, 253},
                             Pattern{"[-_a-zA-Z0-9]([-._a-zA-Z0-9]*)",
                                     "a key of letters, digits, dots, _ and -"}),
                 "The entry's key.", required())
          .build();
}

Typed<ObjectMeta> build_metadata(Schema& schema, const Basics& basics) {
  ObjectBuilder<ObjectMeta> builder(schema, "ObjectMeta", "Kubernetes metadata.");
  builder
      .field("name", &ObjectMeta::name, basics.object_name,
             "Unique among the objects of its kind in the namespace.", required())
      .field("namespace", &ObjectMeta::namespace_, basics.object_name,
             "Resources refer to each other within one namespace.")
      .ignored("labels", "For your own tools.")
      .ignored("annotations", "For your own tools.");
  for (const char* name : {"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
                           "finalizers", "generateName", "generation", "managedFields",
                           "ownerReferences", "resourceVersion", "selfLink", "uid"}) {
    builder.ignored(name, "Written by the Kubernetes API server.");
  }
  return builder.build();
}

Typed<ElasticsearchSpec> build_elasticsearch(Schema& schema, const Basics& basics) {
  using T = ElasticsearchSpec;
  return ObjectBuilder<T>(schema, "ElasticsearchSpec", "How to reach Elasticsearch.")
      .field(
          "urls", &T::urls, list_type(schema, basics.text, {1, 32}, {.unique = Unique::kItems}),
          "Nodes of one cluster, as `http://host:9200` or `https://…`. Credentials belong into the "
          "secret.",
          required())
      .field("credentialsSecretRef", &T::credentials_secret_ref, basics.secret_ref,
             "A secret with `username` and `password`, or with `apiKey`.")
      .field("caSecretRef", &T::ca_secret_ref, basics.secret_key_ref,
             "The certificates to trust, PEM. Without it: the system's.")
      .build();
}

Typed<KafkaSpec> build_kafka(Schema& schema, const Basics& basics) {
  using T = KafkaSpec;
  return ObjectBuilder<T>(schema, "KafkaSpec", "How to reach Kafka.")
      .field("bootstrapServers", &T::bootstrap_servers,
             list_type(schema, basics.text, {1, 32}, {.unique = Unique::kItems}),
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

Typed<ReindexSpec> build_reindex(Schema& schema) {
  const auto approval = enum_type<Approval>(
      schema, "Approval",
      {{Approval::kAutomatic, "Automatic", "When the conditions of `cutover` hold."},
       {Approval::kManual, "Manual", "When they hold and a person has approved it."}});
  const auto cutover =
      ObjectBuilder<CutoverSpec>(schema, "CutoverSpec",
                                 "When a rebuilt index may take over from the one in service.")
          .field("maxLagRecords", &CutoverSpec::max_lag_records,
                 integer_type<int64_t>(schema, {0, kBillion}),
                 "The rebuilt index is at most this many records behind.")
          .field("stableFor", &CutoverSpec::stable_for,
                 duration_type<std::chrono::seconds>(schema, {0, kDay}), "For at least this long.")
          .build();
  return ObjectBuilder<ReindexSpec>(schema, "ReindexSpec",
                                    "What happens when mappings, settings or fields change: a new "
                                    "index is built beside the one in service, and then takes "
                                    "over.")
      .field("approval", &ReindexSpec::approval, approval, "When the new index takes over.")
      .field("cutover", &ReindexSpec::cutover, cutover, "The conditions for it.")
      .field("keepWarm", &ReindexSpec::keep_warm,
             duration_type<std::chrono::seconds>(schema, {0, 90 * kDay}),
             "How long the old index is kept up to date, to go back to at once.")
      .build();
}

Typed<WorkersSpec> build_workers(Schema& schema) {
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
             "The number of workers. With 0 the index falls behind.")
      .field("sessionTimeout", &WorkersSpec::session_timeout,
             duration_type<std::chrono::seconds>(schema, {kSecond, 30 * kMinute}),
             "After which Kafka gives a silent worker's partitions to another. The brokers' "
             "`group.min.session.timeout.ms` bounds it from below.")
      .field("bulk", &WorkersSpec::bulk, bulk, "The bounds of bulk requests.")
      .build();
}

Typed<QuerySpec> build_query(Schema& schema, const Basics& basics) {
  return ObjectBuilder<QuerySpec>(schema, "QuerySpec", "The processes that answer queries.")
      .field("replicas", &QuerySpec::replicas, integer_type<int32_t>(schema, {0, 256}),
             "The number of query processes.")
      .field("port", &QuerySpec::port, integer_type<int32_t>(schema, {0, 65535}),
             "Where they listen. 0: a free port, for `searchsync run`.")
      .field("filterable", &QuerySpec::filterable,
             list_type(schema, basics.document_field, {0, 1000}, {.unique = Unique::kItems}),
             "The fields that queries may filter by. Empty: every field of the mappings.")
      .field("pageSizeMax", &QuerySpec::page_size_max, integer_type<int32_t>(schema, {1, 10'000}),
             "The most documents one answer holds.")
      .field("timeout", &QuerySpec::timeout,
             duration_type<std::chrono::milliseconds>(schema, {100, 5 * kMinute}),
             "After which a query fails.")
      .build();
}

Typed<SearchIndexSpec> build_index_spec(Schema& schema, const Basics& basics,
                                        Typed<KafkaSpec> kafka) {
  using T = SearchIndexSpec;
  const auto index_name = string_type(
      schema, {1, 200},
      Pattern{R"([^-_+.A-Z\\/*?"<>|\s,#:][^A-Z\\/*?"<>|\s,#:]*)",
              R"(an index name: no capitals, no spaces, none of \ / * ? " < > | , # : and not )"
              "starting with - _ + or a dot"});
  const auto deletion = enum_type<DeletionPolicy>(
      schema, "DeletionPolicy",
      {{DeletionPolicy::kRetain, "Retain", "The index, its alias and its topics stay."},
       {DeletionPolicy::kDelete, "Delete", "They are deleted with the resource."}});
  const auto shards = integer_type<int32_t>(schema, {1, 1024});
  const auto replicas = integer_type<int32_t>(schema, {0, 32});
  const auto json = json_object_type(schema);
  return ObjectBuilder<T>(schema, "SearchIndexSpec", "What the documents are, how they are served.")
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
          "mappings", &T::mappings, json,
          "The `mappings` of the index, as Elasticsearch takes them. With `dynamic: strict` every "
          "field that a binding writes must be there.",
          required())
      .field("settings", &T::settings, json, "Further `settings` of the index, such as `analysis`.")
      .field("reindex", &T::reindex, build_reindex(schema), "How a changed index takes over.")
      .field("workers", &T::workers, build_workers(schema), "The workers.")
      .field("query", &T::query, build_query(schema, basics), "The query service.")
      .field("deletionPolicy", &T::deletion_policy, deletion,
             "What happens to the data when the resource is deleted.")
      .field("suspend", &T::suspend, basics.boolean,
             "True: nothing is changed and no worker runs; queries are still answered.")
      .build();
}

Typed<Source> build_source(Schema& schema, const Basics& basics) {
  const auto table =
      string_type(schema, {3, 127}, Pattern{R"([^.\s"]+\.[^.\s"]+)", "a table as schema.table"});
  const auto postgres =
      ObjectBuilder<PostgresSource>(schema, "PostgresSource",
                                    "A table that `searchsync capture` reads. Its topic is "
                                    "`<topicPrefix>.<schema>.<table>`.")
          .field(
              "secretRef", &PostgresSource::secret_ref, basics.secret_ref,
              "A secret with `uri`, or with `host`, `port`, `dbname`, `username`, `password` and "
              "`sslmode`; and `ca.crt` to verify the server by.",
              required())
          .field("table", &PostgresSource::table, table, "As `schema.table`.", required())
          .field("topicPrefix", &PostgresSource::topic_prefix, basics.topic,
                 "The first part of the topic's name.", {.default_says = "the secret's name"})
          .complete([](PostgresSource& source) {
            if (source.topic_prefix.empty()) source.topic_prefix = source.secret_ref.name;
          })
          .build();
  const auto format = enum_type<RecordFormat>(
      schema, "RecordFormat",
      {{RecordFormat::kDebezium, "Debezium",
        "Debezium's change events, with or without schemas in the message."},
       {RecordFormat::kJson, "Json",
        "The value is the row, a JSON object. A record without value deletes it."}});
  const auto kafka =
      ObjectBuilder<KafkaSource>(schema, "KafkaSource", "A topic that somebody else writes.")
          .field("topic", &KafkaSource::topic, basics.topic, "The topic's name.", required())
          .field("format", &KafkaSource::format, format, "What its records are.")
          .build();
  return UnionBuilder<Source>(schema, "Source", "Where the rows come from.")
      .alternative("postgres", postgres, "A table, captured by SearchSync.")
      .alternative("kafka", kafka, "A topic of change events or rows.")
      .build();
}

Typed<LookupRelation> build_lookup(Schema& schema, const Basics& basics) {
  using T = LookupRelation;
  const auto on_missing =
      enum_type<OnMissing>(schema, "OnMissing",
                           {{OnMissing::kNull, "Null", "The fields are null."},
                            {OnMissing::kExclude, "Exclude", "The document is not in the index."}});
  return ObjectBuilder<T>(schema, "LookupRelation",
                          "Each row of `of` refers to one row of this binding.")
      .field("of", &T::of, basics.object_name, "Who refers: a binding's name, or `root`.",
             required())
      .field("from", &T::from, basics.columns,
             "Columns of `of` that hold this binding's key, in the key's order.", required())
      .field("onMissing", &T::on_missing, on_missing, "What if there is no such row.")
      .build();
}

Typed<ChildrenRelation> build_children(Schema& schema, const Basics& basics,
                                       Typed<std::string> into) {
  using T = ChildrenRelation;
  const auto direction =
      enum_type<Direction>(schema, "Direction",
                           {{Direction::kAscending, "Ascending", "Smallest first."},
                            {Direction::kDescending, "Descending", "Largest first."}});
  const auto order =
      ObjectBuilder<OrderBy>(schema, "OrderBy", "One column to sort by.")
          .field("column", &OrderBy::column, basics.column, "The column.", required())
          .field("direction", &OrderBy::direction, direction, "Which end comes first.")
          .build();
  return ObjectBuilder<T>(
             schema, "ChildrenRelation",
             "Many rows of this binding refer to one root row; they become an array of objects in "
             "its document.")
      .field("of", &T::of, basics.object_name, "Who has the children: `root`.")
      .field("from", &T::from, basics.columns,
             "Columns of this binding that hold the root's key, in the key's order.", required())
      .field("into", &T::into, into, "The array's field in the document.", required())
      .field("orderBy", &T::order_by,
             list_type(schema, order, {0, 16}, {.unique = Unique::kKey, .key = "column"}),
             "The order in the array; rows that are equal in it are sorted by their key.")
      .build();
}

Typed<Relation> build_relation(Schema& schema, const Basics& basics) {
  const auto into = string_type(
      schema, {1, 128},
      Pattern{R"([^.\s"\\]+)", "one name, without dots, spaces, quotes or backslashes"});
  using Link = LinkRelation;
  const auto link =
      ObjectBuilder<Link>(schema, "LinkRelation",
                          "Each row of this binding ties two root rows together, and shows in the "
                          "documents of both as an object in an array. A field whose `from` starts "
                          "with `far.` is a column of the other root row.")
          .field("of", &Link::of, basics.object_name, "What is linked: `root`.")
          .field("near", &Link::near, basics.columns,
                 "Columns of this binding that hold the key of one root row.", required())
          .field("far", &Link::far, basics.columns,
                 "Columns of this binding that hold the key of the other.", required())
          .field("into", &Link::into, into, "The array's field in the document.", required())
          .build();
  const auto root = ObjectBuilder<RootRelation>(schema, "RootRelation",
                                                "Each row of this binding is one document.")
                        .build();
  return UnionBuilder<Relation>(schema, "Relation", "How the rows relate to the documents.")
      .alternative("root", root, "Its rows are the documents. Exactly one binding of an index is.")
      .alternative("lookup", build_lookup(schema, basics), "Rows that others refer to.")
      .alternative("children", build_children(schema, basics, into), "Rows that refer to a root.")
      .alternative("link", link, "Rows that tie two roots together.")
      .build();
}

Typed<std::vector<FieldMapping>> build_fields(Schema& schema, const Basics& basics) {
  using enum FieldType;
  const auto type = enum_type<FieldType>(
      schema, "FieldType",
      {{kAuto, "Auto", "As the source says."},
       {kString, "String", "The value's text."},
       {kNumber, "Number", "An exact number, from a number or its text."},
       {kBoolean, "Boolean", "True or false."},
       {kJson, "Json", "Text that holds JSON becomes that JSON."},
       {kTimestampMillis, "TimestampMillis",
        "An integer of milliseconds since 1970 becomes an ISO 8601 time."},
       {kTimestampMicros, "TimestampMicros", "The same, of microseconds."},
       {kDateDays, "DateDays", "An integer of days since 1970 becomes an ISO 8601 date."}});
  const auto field =
      ObjectBuilder<FieldMapping>(schema, "FieldMapping", "A column that becomes a field.")
          .field("from", &FieldMapping::from, basics.column, "The column.", required())
          .field("to", &FieldMapping::to, basics.document_field,
                 "The field of the document; dots nest objects.", required())
          .field("type", &FieldMapping::type, type, "How its value is written.")
          .build();
  return list_type(schema, field, {0, 1000}, {.unique = Unique::kKey, .key = "to"});
}

Typed<SourceBindingSpec> build_binding_spec(Schema& schema, const Basics& basics) {
  using T = SourceBindingSpec;
  const auto index_ref =
      ObjectBuilder<std::string>(schema, "IndexRef", "A SearchIndex in the same namespace.")
          .self("name", basics.object_name, "Its name.")
          .build();
  const auto policy = enum_type<ErrorPolicy>(
      schema, "ErrorPolicy",
      {{ErrorPolicy::kDeadLetter, "DeadLetter",
        "It goes to the dead-letter topic, with its source and the reason."},
       {ErrorPolicy::kHalt, "Halt", "The index waits until somebody has decided."}});
  const auto errors = ObjectBuilder<ErrorsSpec>(schema, "ErrorsSpec",
                                                "What happens to a record that cannot be used.")
                          .field("policy", &ErrorsSpec::policy, policy, "Where such a record goes.")
                          .field("maxDeadLetters", &ErrorsSpec::max_dead_letters,
                                 integer_type<int64_t>(schema, {0, kBillion}),
                                 "After this many the index waits all the same.")
                          .build();
  return ObjectBuilder<T>(schema, "SourceBindingSpec",
                          "Where the rows come from, how they relate to the documents, and what of "
                          "them is in the documents.")
      .field("indexRef", &T::index_ref, index_ref, "The index this is a part of.", required())
      .field("source", &T::source, build_source(schema, basics), "Where the rows come from.",
             required())
      .field("key", &T::key, list_type(schema, basics.column, {1, 16}, {.unique = Unique::kItems}),
             "The columns that tell rows apart. Of the root: they make the document's id.",
             required())
      .field("relation", &T::relation, build_relation(schema, basics),
             "How the rows relate to the documents.", required())
      .field(
          "fields", &T::fields, build_fields(schema, basics),
          "What of a row is in the documents. It may be empty for rows that only lead to others.")
      .field("errors", &T::errors, errors, "What happens to a record that cannot be used.")
      .build();
}

template <class Resource, class Spec>
Typed<Resource> build_resource(Schema& schema, std::string_view kind, std::string documentation,
                               Typed<ObjectMeta> metadata, Typed<Spec> spec,
                               void (*completion)(Resource&)) {
  return ObjectBuilder<Resource>(schema, std::string(kind), std::move(documentation))
      .constant("apiVersion", kApiVersion, "The version of this schema.")
      .constant("kind", kind, "The kind of resource.")
      .field("metadata", &Resource::metadata, metadata, "Who this is.", required())
      .field("spec", &Resource::spec, spec, "What is wanted.", required())
      .ignored("status", "What is; written by the operator.")
      .complete(completion)
      .build();
}

ResourceTypes build_resource_types(Schema& schema) {
  const Basics basics(schema);
  const auto metadata = build_metadata(schema, basics);
  const auto kafka = build_kafka(schema, basics);
  return {.search_index = build_resource<SearchIndex>(
              schema, kSearchIndexKind,
              "An index whose documents are a join over the sources of its bindings.", metadata,
              build_index_spec(schema, basics, kafka),
              [](SearchIndex& index) {
                if (index.spec.index_name.empty()) index.spec.index_name = index.metadata.name;
              }),
          .source_binding = build_resource<SourceBinding>(
              schema, kSourceBindingKind, "One source of rows of one index.", metadata,
              build_binding_spec(schema, basics), nullptr),
          .kafka = kafka,
          .secret_ref = basics.secret_ref};
}

}  // namespace

const ResourceTypes& resource_types() {
  static Schema schema;
  static const ResourceTypes types = build_resource_types(schema);
  return types;
}

Result<SearchIndex> parse_search_index(std::string_view json) {
  return parse_json_as(resource_types().search_index, json);
}

Result<SourceBinding> parse_source_binding(std::string_view json) {
  return parse_json_as(resource_types().source_binding, json);
}

std::string to_json(const SearchIndex& index) {
  return to_json(write(resource_types().search_index, index));
}

std::string to_json(const SourceBinding& binding) {
  return to_json(write(resource_types().source_binding, binding));
}

}  // namespace searchsync::model
