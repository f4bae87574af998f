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

enum class Approval { kAutomatic, kManual };

struct ReindexSpec {
  Approval approval = Approval::kAutomatic;
  CutoverSpec cutover;
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

struct WorkersSpec {
  int32_t partitions = 8;  // of the document log; fixed once the index exists
  int32_t replicas = 1;
  std::chrono::seconds session_timeout{45};  // after which Kafka gives a silent worker's work away
  BulkSpec bulk;
  friend bool operator==(const WorkersSpec&, const WorkersSpec&) = default;
};

struct QuerySpec {
  int32_t replicas = 1;
  int32_t port = 0;                     // 0: chosen at start, where that makes sense
  std::vector<std::string> filterable;  // empty: every field of the mappings
  int32_t page_size_max = 1000;
  std::chrono::milliseconds timeout{10'000};
  friend bool operator==(const QuerySpec&, const QuerySpec&) = default;
};

enum class DeletionPolicy { kRetain, kDelete };

struct SearchIndexSpec {
  ElasticsearchSpec elasticsearch;
  KafkaSpec kafka;
  std::string index_name;  // also the alias that readers use; immutable
  int32_t shards = 1;
  int32_t replicas = 1;
  std::chrono::milliseconds refresh_interval{1000};
  JsonText mappings;                 // the "mappings" object of an index
  std::optional<JsonText> settings;  // the "settings" object: analysis and the like
  ReindexSpec reindex;
  WorkersSpec workers;
  QuerySpec query;
  DeletionPolicy deletion_policy = DeletionPolicy::kRetain;
  bool suspend = false;
  friend bool operator==(const SearchIndexSpec&, const SearchIndexSpec&) = default;
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

// A table that `searchsync capture` reads. The topic is "<topicPrefix>.<schema>.<table>".
struct PostgresSource {
  SecretRef secret_ref;  // keys: uri, or host, port, dbname, username, password, sslmode; ca.crt
  std::string table;     // schema.table
  std::string topic_prefix;  // default: the secret's name
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

using Source = std::variant<PostgresSource, KafkaSource>;

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

struct SourceBindingSpec {
  std::string index_ref;  // the SearchIndex, by name
  Source source;
  std::vector<std::string> key;
  Relation relation;
  std::vector<FieldMapping> fields;
  ErrorsSpec errors;
  friend bool operator==(const SourceBindingSpec&, const SourceBindingSpec&) = default;
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
