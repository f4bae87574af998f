#pragma once

// The two resources that people write, as values. What each field means, its default, its bounds
// and its place in the documents is said once, in resource_schema.cc; parsing, validation, the
// reference page and the custom resource definitions all come from there.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/model/aggregate_spec.h"
#include "lib/model/command_spec.h"
#include "lib/model/period.h"

namespace searchsync::model {

// JSON text, kept as it is: mappings and settings belong to the search engine, not to us.
struct JsonText {
  std::string text;
  friend bool operator==(const JsonText&, const JsonText&) = default;
};

// A secret in the namespace (or folder) of the resource. Its keys are fixed by what it is used for.
struct SecretRef {
  std::string name;
  friend bool operator==(const SecretRef&, const SecretRef&) = default;
};

// One entry of a secret.
struct SecretKeyRef {
  std::string name;
  std::string key;
  friend bool operator==(const SecretKeyRef&, const SecretKeyRef&) = default;
};

struct ElasticsearchSpec {
  std::vector<std::string> urls;
  std::optional<SecretRef> credentials_secret_ref;  // keys: username and password, or apiKey
  std::optional<SecretKeyRef> ca_secret_ref;
  friend bool operator==(const ElasticsearchSpec&, const ElasticsearchSpec&) = default;
};

struct KafkaSpec {
  std::vector<std::string> bootstrap_servers;
  std::optional<SecretRef> credentials_secret_ref;  // keys: mechanism, username, password
  std::optional<SecretKeyRef> ca_secret_ref;        // given: the connection is encrypted
  int32_t replication_factor = 1;                   // of the topics we create
  friend bool operator==(const KafkaSpec&, const KafkaSpec&) = default;
};

struct CutoverSpec {
  int64_t max_lag_records = 100;
  std::chrono::seconds stable_for{30};
  friend bool operator==(const CutoverSpec&, const CutoverSpec&) = default;
};

// A query that a rebuilt index has to answer well before it takes over.
struct CheckSpec {
  std::string name;
  JsonText query;  // the "query" object of a search
  int64_t hits_min = 0;
  std::optional<int64_t> hits_max;
  friend bool operator==(const CheckSpec&, const CheckSpec&) = default;
};

enum class Approval { kAutomatic, kManual };

struct ReindexSpec {
  Approval approval = Approval::kAutomatic;
  std::optional<std::string> approved;  // with kManual: the index that may take over
  std::optional<std::string> serve;     // an index that readers are to read, whatever is declared
  int32_t revision = 0;                 // part of the index's name
  CutoverSpec cutover;
  std::vector<CheckSpec> checks;
  std::chrono::seconds keep_warm{24 * 3600};
  friend bool operator==(const ReindexSpec&, const ReindexSpec&) = default;
};

struct BulkSpec {
  int32_t documents_max = 1000;         // of one request
  int32_t bytes_max = 5 * 1024 * 1024;  // of one request
  std::chrono::milliseconds delay{5};   // how long a request may wait for more documents
  int32_t requests_in_flight = 2;       // of one worker
  friend bool operator==(const BulkSpec&, const BulkSpec&) = default;
};

struct AutoscalingSpec {
  int32_t min = 0;  // 0: none while nothing arrives
  int32_t max = 1;
  std::chrono::seconds target_lag{5};
  std::chrono::seconds scale_down_after{300};  // of needing fewer
  friend bool operator==(const AutoscalingSpec&, const AutoscalingSpec&) = default;
};

// The volume of each worker.
struct StorageSpec {
  std::string size;                               // a Kubernetes quantity
  std::optional<std::string> storage_class_name;  // none: the cluster's default
  friend bool operator==(const StorageSpec&, const StorageSpec&) = default;
};

struct WorkersSpec {
  int32_t partitions = 8;  // of the document log; fixed once the index exists
  int32_t replicas = 1;    // where autoscaling does not decide
  std::optional<AutoscalingSpec> autoscaling;
  std::chrono::seconds session_timeout{45};  // after which Kafka gives a silent worker's work away
  BulkSpec bulk;
  std::optional<StorageSpec> storage;  // none: the node's disk, for as long as the pod lives
  std::optional<JsonText> resources;   // of a container: requests and limits
  friend bool operator==(const WorkersSpec&, const WorkersSpec&) = default;
};

// Of whoever asks, of each query process.
struct RateLimitSpec {
  int32_t per_second = 1;  // in the long run
  int32_t burst = 20;      // at once
  friend bool operator==(const RateLimitSpec&, const RateLimitSpec&) = default;
};

// A way from the documents of this index to those of another at the same search engine: those
// belong together whose fields `from` and `to` have the same value.
struct RelationSpec {
  std::string name;
  std::string index;  // a SearchIndex of the same namespace
  std::string from;   // a field of this index
  std::string to;     // a field of the other
  friend bool operator==(const RelationSpec&, const RelationSpec&) = default;
};

enum class SortOrder { kAscending, kDescending };

struct SortSpec {
  std::string field;
  SortOrder order = SortOrder::kAscending;
  friend bool operator==(const SortSpec&, const SortSpec&) = default;
};

// A query with a name. Its parts are those of a search in the query language.
struct ScreenerSpec {
  std::string name;
  std::string description;
  std::optional<JsonText> filter;  // none: everything. May have "{{parameters}}" as values.
  std::vector<SortSpec> sort;
  std::optional<JsonText> facets;
  std::vector<std::string> fields;  // empty: all of each document
  std::optional<int32_t> size;
  friend bool operator==(const ScreenerSpec&, const ScreenerSpec&) = default;
};

// Functions of one database that may be called.
struct CommandsSpec {
  SecretRef secret_ref;  // keys as of PostgresSource, of a role that may only call the functions
  std::vector<CommandSpec> functions;
  int32_t connections = 8;  // of one process
  std::chrono::milliseconds timeout{5'000};
  std::optional<RateLimitSpec> rate_limit;  // beside that of all requests; none: no bound
  friend bool operator==(const CommandsSpec&, const CommandsSpec&) = default;
};

struct QuerySpec {
  int32_t replicas = 1;
  int32_t port = 0;                     // 0: chosen at start, where that makes sense
  std::vector<std::string> filterable;  // empty: every field of the mappings
  int32_t page_size_max = 1000;
  std::chrono::milliseconds timeout{10'000};
  std::optional<JsonText> absent;  // the document of an id that has none; none: that is an error
  std::vector<ScreenerSpec> screeners;
  std::vector<RelationSpec> relations;
  int32_t related_keys_max = 10'000;
  std::optional<SecretRef> keys_secret_ref;  // each entry is one API key
  std::optional<RateLimitSpec> rate_limit;   // none: no bound
  std::optional<CommandsSpec> commands;      // none: nothing can be called
  std::optional<JsonText> resources;         // of a container: requests and limits
  friend bool operator==(const QuerySpec&, const QuerySpec&) = default;
};

// The processes that take the events of bindings with an HTTP source.
struct IngestSpec {
  int32_t replicas = 1;
  int32_t port = 0;                            // 0: chosen at start, where that makes sense
  int32_t connections = 256;                   // of one process, at a time
  std::chrono::milliseconds deadline{10'000};  // for Kafka to acknowledge
  std::optional<SecretRef> tls_secret_ref;     // keys: tls.crt, tls.key; given: HTTPS only
  std::optional<JsonText> resources;           // of a container: requests and limits
  friend bool operator==(const IngestSpec&, const IngestSpec&) = default;
};

// The processes that aggregate the events of bindings with `aggregate`.
struct AggregatesSpec {
  int32_t replicas = 1;
  int64_t memory_bytes = int64_t{512} << 20;  // of one process, for groups used lately
  std::chrono::seconds session_timeout{45};   // after which Kafka gives a silent one's work away
  std::optional<StorageSpec> storage;         // none: the node's disk, for as long as the pod lives
  std::optional<JsonText> resources;          // of a container: requests and limits
  friend bool operator==(const AggregatesSpec&, const AggregatesSpec&) = default;
};

enum class DeletionPolicy { kRetain, kDelete };

// What happens when somebody else has changed the alias, a setting or the mappings.
enum class Drift { kCorrect, kReport };

// Of an alias or index that exists and is not ours.
enum class Adoption { kRefuse, kTakeAlias };

// All tables of a database, each in an index of its own.
struct TablesSpec {
  // By "schema.table", then by column: a mapping in place of that which the column's type gives.
  std::optional<JsonText> mappings;
  friend bool operator==(const TablesSpec&, const TablesSpec&) = default;
};

// What a change of mappings, settings or fields comes to.
enum class OnMappingChange {
  kRebuild,
  kNewPartitions,  // where those of before and after can be read as one
};

// An index for each stretch of event time. Field and routing are fields of the document that the
// root's own row fills.
struct PartitioningSpec {
  std::string field;
  Every every = Every::kDay;
  std::chrono::seconds retain{0};         // after the end of a partition
  std::chrono::seconds ahead{24 * 3600};  // of now; events further ahead are refused
  std::optional<std::string> routing;     // none: by the document's id
  OnMappingChange on_mapping_change = OnMappingChange::kRebuild;
  friend bool operator==(const PartitioningSpec&, const PartitioningSpec&) = default;
};

// Its special members are compiled once, in resources.cc: it is large, and copied in many places.
struct SearchIndexSpec {
  SearchIndexSpec();
  SearchIndexSpec(const SearchIndexSpec& other);
  SearchIndexSpec(SearchIndexSpec&& other) noexcept;
  SearchIndexSpec& operator=(const SearchIndexSpec& other);
  SearchIndexSpec& operator=(SearchIndexSpec&& other) noexcept;
  ~SearchIndexSpec();

  ElasticsearchSpec elasticsearch;
  KafkaSpec kafka;
  std::string index_name;  // also the alias that readers use; immutable
  int32_t shards = 1;
  int32_t replicas = 1;
  std::chrono::milliseconds refresh_interval{1000};
  JsonText mappings;                 // the "mappings" object of an index; empty with `tables`
  std::optional<TablesSpec> tables;  // in place of mappings
  std::optional<JsonText> settings;  // the "settings" object: analysis and the like
  std::optional<PartitioningSpec> partitioning;  // none: all documents are in one index
  ReindexSpec reindex;
  WorkersSpec workers;
  QuerySpec query;
  IngestSpec ingest;
  AggregatesSpec aggregates;
  DeletionPolicy deletion_policy = DeletionPolicy::kRetain;
  Drift drift = Drift::kCorrect;
  Adoption adoption = Adoption::kRefuse;
  bool suspend = false;
  friend bool operator==(const SearchIndexSpec& a, const SearchIndexSpec& b);
};

// metadata, as far as it concerns us.
struct ObjectMeta {
  std::string name;
  std::string namespace_ = "default";
  friend bool operator==(const ObjectMeta&, const ObjectMeta&) = default;
};

struct SearchIndex {
  ObjectMeta metadata;
  SearchIndexSpec spec;
  friend bool operator==(const SearchIndex&, const SearchIndex&) = default;
};

// Tables by name: "schema.table", where * stands for any characters.
struct TableSelection {
  std::vector<std::string> include{"*.*"};
  std::vector<std::string> exclude;
  friend bool operator==(const TableSelection&, const TableSelection&) = default;
};

// A table that `searchsync capture` reads, or all of a database that are selected. The topic is
// "<topicPrefix>.<schema>.<table>".
struct PostgresSource {
  SecretRef secret_ref;  // keys: uri, or host, port, dbname, username, password, sslmode; ca.crt
  std::string table;     // schema.table; empty with `tables`
  std::string topic_prefix;              // default: capture.<namespace>.<secret>
  std::optional<TableSelection> tables;  // in place of table
  std::string revision;                  // another one: the capture looks at the table anew
  friend bool operator==(const PostgresSource&, const PostgresSource&) = default;
};

enum class RecordFormat {
  kDebezium,  // change events, with or without schemas in the message
  kJson,      // the value is the row, a JSON object; no value deletes it
};

// A topic that somebody else writes.
struct KafkaSource {
  std::string topic;
  RecordFormat format = RecordFormat::kDebezium;
  friend bool operator==(const KafkaSource&, const KafkaSource&) = default;
};

enum class ColumnType {
  kString,
  kInteger,  // of 64 bits
  kNumber,   // any that JSON can write
  kBoolean,
  kTimestamp,  // RFC 3339; kept in UTC with six digits of a second, so that texts sort as times
  kJson,       // any value
};

// A field that an event may have.
struct EventColumn {
  std::string name;
  ColumnType type = ColumnType::kString;
  bool required = false;
  std::optional<int32_t> bytes_max;  // of a string
  std::vector<std::string> values;   // that a string may have; empty: any
  std::optional<int64_t> minimum;    // of an integer or number
  std::optional<int64_t> maximum;
  friend bool operator==(const EventColumn&, const EventColumn&) = default;
};

enum class TopicCleanup {
  kDelete,   // what is older than the retention
  kCompact,  // all but the newest row of each key
};

// The topic that events are kept in, as it is when it is made.
struct EventTopic {
  std::string name;  // default: searchsync.<namespace>.<binding>.events
  int32_t partitions = 8;
  TopicCleanup cleanup = TopicCleanup::kDelete;
  std::optional<std::chrono::seconds> retention;  // none: for ever
  friend bool operator==(const EventTopic&, const EventTopic&) = default;
};

struct EventLimits {
  int32_t body_bytes_max = 1 << 20;  // decompressed, too
  int32_t events_max = 10'000;       // of one request
  int32_t event_bytes_max = 64 << 10;
  friend bool operator==(const EventLimits&, const EventLimits&) = default;
};

// Events that `searchsync ingest` takes over HTTP.
struct HttpSource {
  std::vector<std::string> paths;  // "/events/{domain}": a parameter is a column
  std::vector<EventColumn> columns;
  std::optional<std::string> event_id;         // a column that is filled in if absent
  std::optional<std::string> timestamp;        // likewise
  std::vector<std::string> partition_key;      // default: the binding's key
  std::optional<SecretRef> tokens_secret_ref;  // key: tokens; none: everybody may send
  EventTopic topic;
  EventLimits limits;
  friend bool operator==(const HttpSource&, const HttpSource&) = default;
};

using Source = std::variant<PostgresSource, KafkaSource, HttpSource>;

enum class OnMissing {
  kNull,     // the fields are null
  kExclude,  // the document is not in the index
};

struct RootRelation {
  friend bool operator==(const RootRelation&, const RootRelation&) = default;
};

// Each row of `of` refers to one row of this binding.
struct LookupRelation {
  std::string of;                 // a binding's name, or "root"
  std::vector<std::string> from;  // columns of `of` that hold this binding's key
  OnMissing on_missing = OnMissing::kNull;
  friend bool operator==(const LookupRelation&, const LookupRelation&) = default;
};

enum class Direction { kAscending, kDescending };

struct OrderBy {
  std::string column;
  Direction direction = Direction::kAscending;
  friend bool operator==(const OrderBy&, const OrderBy&) = default;
};

// Many rows of this binding refer to one root; they become an array of objects in its document.
struct ChildrenRelation {
  std::string of = "root";
  std::vector<std::string> from;  // columns of this binding that hold the root's key
  std::string into;               // the array's field
  std::vector<OrderBy> order_by;  // then by key
  friend bool operator==(const ChildrenRelation&, const ChildrenRelation&) = default;
};

// Each row of this binding ties two roots together, and shows on both as an object in an array.
// A field whose `from` starts with "far." is a column of the other root.
struct LinkRelation {
  std::string of = "root";
  std::vector<std::string> near;  // columns that hold one root's key
  std::vector<std::string> far;   // columns that hold the other's
  std::string into;
  friend bool operator==(const LinkRelation&, const LinkRelation&) = default;
};

using Relation = std::variant<RootRelation, LookupRelation, ChildrenRelation, LinkRelation>;

enum class FieldType {
  kAuto,    // as the source says
  kString,  // the value's text, quoted
  kNumber,  // an exact number, from a number or its text
  kBoolean,
  kJson,             // text that holds JSON becomes that JSON
  kTimestampMillis,  // an integer of milliseconds since 1970 becomes an ISO 8601 time
  kTimestampMicros,  // the same, of microseconds
  kDateDays,         // an integer of days since 1970 becomes an ISO 8601 date
};

struct FieldMapping {
  std::string from;  // a column
  std::string to;    // a field of the document; dots nest objects
  FieldType type = FieldType::kAuto;
  friend bool operator==(const FieldMapping&, const FieldMapping&) = default;
};

enum class ErrorPolicy { kDeadLetter, kHalt };

struct ErrorsSpec {
  ErrorPolicy policy = ErrorPolicy::kDeadLetter;
  int64_t max_dead_letters = 1000;
  friend bool operator==(const ErrorsSpec&, const ErrorsSpec&) = default;
};

// Its special members, too, are compiled once.
struct SourceBindingSpec {
  SourceBindingSpec();
  SourceBindingSpec(const SourceBindingSpec& other);
  SourceBindingSpec(SourceBindingSpec&& other) noexcept;
  SourceBindingSpec& operator=(const SourceBindingSpec& other);
  SourceBindingSpec& operator=(SourceBindingSpec&& other) noexcept;
  ~SourceBindingSpec();

  std::string index_ref;  // the SearchIndex, by name
  Source source;
  std::optional<AggregateSpec> aggregate;
  std::vector<std::string> key;
  Relation relation;
  std::vector<FieldMapping> fields;
  ErrorsSpec errors;
  friend bool operator==(const SourceBindingSpec& a, const SourceBindingSpec& b);
};

struct SourceBinding {
  ObjectMeta metadata;
  SourceBindingSpec spec;
  friend bool operator==(const SourceBinding&, const SourceBinding&) = default;
};

// Everything declared in one folder, or seen in one cluster. Both in order of namespace and name.
struct Resources {
  std::vector<SearchIndex> indices;
  std::vector<SourceBinding> bindings;
  friend bool operator==(const Resources&, const Resources&) = default;
};

}  // namespace searchsync::model
