#include <fmt/core.h>

#include "lib/model/basic_types.h"

namespace searchsync::model {
namespace {

constexpr const char* kTablePattern = R"([^.\s\v"]+\.[^.\s\v"]+)";

Typed<TableSelection> build_selection(Schema& schema) {
  using T = TableSelection;
  const auto names = list_type(
      schema,
      string_type(schema, {3, 127},
                  Pattern{kTablePattern, "tables as schema.table, with * for any characters"}),
      {0, 1000}, {.unique = Unique::kItems});
  return ObjectBuilder<T>(schema, "TableSelection",
                          "Tables of a database. Those of PostgreSQL itself and of its extensions "
                          "are never among them.")
      .field("include", &T::include, names, "Those that are kept, as `public.*`.")
      .field("exclude", &T::exclude, names, "Those of them that are not.")
      .build();
}

Typed<Source> build_source(Schema& schema, const Basics& basics, Typed<HttpSource> http) {
  const auto table =
      string_type(schema, {3, 127}, Pattern{kTablePattern, "a table as schema.table"});
  using T = PostgresSource;
  const auto postgres =
      ObjectBuilder<T>(schema, "PostgresSource",
                       "A table that `searchsync capture` reads, or all of a database. A table's "
                       "topic is `<topicPrefix>.<schema>.<table>`.")
          .field(
              "secretRef", &T::secret_ref, basics.secret_ref,
              "A secret with `uri`, or with `host`, `port`, `dbname`, `username`, `password` and "
              "`sslmode`; and `ca.crt` to verify the server by.",
              required())
          .field("table", &T::table, table, "As `schema.table`.",
                 {.default_says = "required without `tables`", .written = Written::kIfNotDefault})
          .field("tables", &T::tables, build_selection(schema),
                 "In place of `table`, for an index with `tables`: which tables are kept.")
          .field("topicPrefix", &T::topic_prefix, basics.topic,
                 "The first part of the topic's name.",
                 {.default_says = "`capture.<namespace>.<secret>`"})
          .field("revision", &T::revision, string_type(schema, {1, 63}),
                 "Another value has the capture look at the table anew, which it does whenever it "
                 "starts: what an `ALTER TABLE` has changed unsaid is read again. With `tables` "
                 "it is kept for you.",
                 {.default_says = "none", .written = Written::kIfNotDefault})
          .rule({.cel = "has(self.table) != has(self.tables)",
                 .message = "expected exactly one of table and tables: add one, or keep one",
                 .path = "table"},
                [](const T& source) { return source.table.empty() == source.tables.has_value(); })
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
      .alternative("http", http, "Events, sent over HTTP.")
      .build();
}

// Of a document's own fields; see validate_fields.cc.
constexpr std::string_view kReserved =
    "'_id', '_index', '_source', '_type', '_routing', '_version', '_field_names', '_field', "
    "'_ignored', '_seq_no', '_primary_term', '_nested_path', '_tier'";
constexpr const char* kReservedMessage =
    "is a name that Elasticsearch keeps for itself: choose another";

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
             list_type(schema, order, {0, 16},
                       {.unique = Unique::kKey, .key = "column", .order = Order::kMeant}),
             "The order in the array; rows that are equal in it are sorted by their key.")
      .build();
}

Typed<Relation> build_relation(Schema& schema, const Basics& basics) {
  const auto into = string_type(
      schema, {1, 128},
      Pattern{R"([^.\s\v"\\]+)", "one name, without dots, spaces, quotes or backslashes"},
      {{.cel = fmt::format("!(self in [{}])", kReserved),
        .message = kReservedMessage,
        .path = ""}});
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
          .rule({.cel = "self.near.size() == self.far.size()",
                 .message = "has not as many columns as near: both are keys of the same table",
                 .path = "far"})
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

constexpr std::string_view kWithoutTables = "required without `source.postgres.tables`";

bool reads_tables(const SourceBindingSpec& spec) {
  const auto* postgres = std::get_if<PostgresSource>(&spec.source);
  return postgres != nullptr && postgres->tables.has_value();
}

bool writes_tables(const Node& spec) {
  const Node* at = &spec;
  for (const char* step : {"source", "postgres", "tables"}) {
    if (at != nullptr) at = at->find(step);
  }
  return at != nullptr;
}

// Of all tables of a database, the catalog says what one binding says of one table.
void add_tables_rules(ObjectBuilder<SourceBindingSpec>& builder) {
  using T = SourceBindingSpec;
  constexpr const char* kTables = "(has(self.source.postgres) && has(self.source.postgres.tables))";
  builder
      .rule({.cel = fmt::format("has(self.key) || {}", kTables),
             .message = "is required: add it",
             .path = "key"},
            [](const T& spec) { return !spec.key.empty() || reads_tables(spec); })
      .rule({.cel = fmt::format("!has(self.key) || !{}", kTables),
             .message = "with `source.postgres.tables` each table has its own: remove it",
             .path = "key"},
            [](const T& spec) { return spec.key.empty() || !reads_tables(spec); })
      .rule({.cel = fmt::format("has(self.relation) || {}", kTables),
             .message = "is required: add it",
             .path = "relation",
             .holds_written =
                 [](const Node& spec) {
                   return spec.find("relation") != nullptr || writes_tables(spec);
                 }})
      .rule({.cel = fmt::format("!has(self.relation) || has(self.relation.root) || !{}", kTables),
             .message = "with `source.postgres.tables` the rows of each table are documents: "
                        "remove it",
             .path = "relation"},
            [](const T& spec) {
              return std::holds_alternative<RootRelation>(spec.relation) || !reads_tables(spec);
            })
      .rule({.cel = fmt::format("!has(self.fields) || self.fields.size() == 0 || !{}", kTables),
             .message = "with `source.postgres.tables` each column is a field: remove them",
             .path = "fields"},
            [](const T& spec) { return spec.fields.empty() || !reads_tables(spec); });
}

}  // namespace

Typed<SourceBindingSpec> build_binding_spec(Schema& schema, const Basics& basics,
                                            Typed<HttpSource> http,
                                            Typed<AggregateSpec> aggregate) {
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
  ObjectBuilder<T> builder(schema, "SourceBindingSpec",
                           "Where the rows come from, how they relate to the documents, and what "
                           "of them is in the documents.");
  builder.field("indexRef", &T::index_ref, index_ref, "The index this is a part of.", required())
      .field("source", &T::source, build_source(schema, basics, http), "Where the rows come from.",
             required())
      .field("aggregate", &T::aggregate, aggregate,
             "Makes rows of groups of events: of those that are equal in `key`.")
      .field("key", &T::key,
             list_type(schema, basics.column, {1, 16},
                       {.unique = Unique::kItems, .order = Order::kMeant}),
             "The columns that tell rows apart. Of the root: they make the document's id.",
             {.default_says = std::string(kWithoutTables), .written = Written::kIfNotDefault})
      .field("relation", &T::relation, build_relation(schema, basics),
             "How the rows relate to the documents.", {.default_says = std::string(kWithoutTables)})
      .field(
          "fields", &T::fields, build_fields(schema, basics),
          "What of a row is in the documents. It may be empty for rows that only lead to others.")
      .field("errors", &T::errors, errors, "What happens to a record that cannot be used.")
      .rule({.cel = "!has(self.relation) || !has(self.relation.lookup) || "
                    "!has(self.key) || self.relation.lookup.from.size() == self.key.size()",
             .message = "has not as many columns as spec.key: name one column of `of` for each "
                        "column of the key",
             .path = "relation.lookup.from"})
      .rule({.cel = "!has(self.relation) || !has(self.relation.link) || !has(self.fields) || "
                    "self.fields.all(f, f.from != 'far.')",
             .message = "expected a column of the other root row after `far.`",
             .path = "fields"})
      .rule({.cel = fmt::format(
                 "!has(self.relation) || !has(self.relation.root) || !has(self.fields) || "
                 "self.fields.all(f, !(f.to.split('.')[0] in [{}]))",
                 kReserved),
             .message = fmt::format("a field's `to` {}", kReservedMessage),
             .path = "fields"});
  add_tables_rules(builder);
  add_http_rules(builder);
  add_aggregate_rules(builder);
  return builder.build();
}

}  // namespace searchsync::model
