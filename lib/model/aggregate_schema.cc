#include <algorithm>

#include "lib/model/basic_types.h"

namespace searchsync::model {
namespace {

using enum AggregateFunction;

Typed<AggregateColumn> build_column(Schema& schema, const Basics& basics, Typed<std::string> name) {
  using T = AggregateColumn;
  const auto condition =
      ObjectBuilder<ColumnCondition>(schema, "ColumnCondition",
                                     "An event's column is one of these values. Null is none.")
          .field("column", &ColumnCondition::column, basics.column, "A column of the events.",
                 required())
          .field(
              "values", &ColumnCondition::values,
              list_type(schema, string_type(schema, {0, 256}), {1, 32}, {.unique = Unique::kItems}),
              "Texts; a number is its digits, a boolean `true` or `false`.", required())
          .build();
  const auto compute = enum_type<AggregateFunction>(
      schema, "AggregateFunction",
      {{kCount, "Count", "How many events there are."},
       {kSum, "Sum",
        "The sum of a column, exact: up to 19 digits before the point, and 18 behind."},
       {kMin, "Min", "The least value of a column: numbers by value, then texts by their bytes."},
       {kMax, "Max", "The greatest."},
       {kFirst, "First", "A column of the first event in which it is not null."},
       {kLast, "Last", "A column of the last event in which it is not null."}});
  return ObjectBuilder<T>(schema, "AggregateColumn", "A column of a group's row.")
      .field("name", &T::name, name, "Its name.", required())
      .field("compute", &T::compute, compute, "What it is of the events.")
      .field("column", &T::column, basics.column,
             "The column of the events that it is computed of; all but Count have one.")
      .field("by", &T::by, basics.column,
             "Of First and Last: a column with a time as `2026-01-31T12:00:00Z`, which says which "
             "event was first. Without it: the order in which they arrived.")
      .field("where", &T::where,
             list_type(schema, condition, {0, 8},
                       {.unique = Unique::kKey, .key = "column", .order = Order::kMeant}),
             "Only events for which all of these hold. Empty: every event.")
      .rule({.cel = "(self.compute == 'Count') != has(self.column)",
             .message = "is missing, or there with Count: all but Count are computed of a column",
             .path = "column"},
            [](const T& column) { return (column.compute == kCount) != column.column.has_value(); })
      .rule({.cel = "!has(self.by) || self.compute == 'First' || self.compute == 'Last'",
             .message = "has no meaning without First or Last: remove it",
             .path = "by"},
            [](const T& column) {
              return !column.by || column.compute == kFirst || column.compute == kLast;
            })
      .build();
}

Typed<DerivedColumn> build_derived(Schema& schema, const Basics& basics, Typed<std::string> name) {
  const auto bound = integer_type<int64_t>(schema, {-(INT64_C(1) << 53), INT64_C(1) << 53});
  const auto value = string_type(schema, {1, 128});
  const auto condition =
      ObjectBuilder<RuleCondition>(schema, "RuleCondition", "Bounds of a column, both inclusive.")
          .field("column", &RuleCondition::column, name, "A column that counts or sums.",
                 required())
          .field("min", &RuleCondition::minimum, bound, "It is at least this.")
          .field("max", &RuleCondition::maximum, bound, "It is at most this.")
          .rule({.cel = "has(self.min) || has(self.max)",
                 .message = "has neither min nor max, and would always hold: add one",
                 .path = ""},
                [](const RuleCondition& one) { return one.minimum || one.maximum; })
          .build();
  using Rule = DerivedRule;
  const auto rule =
      ObjectBuilder<Rule>(schema, "DerivedRule", "A value, and when it is that.")
          .field("when", &Rule::when,
                 list_type(schema, condition, {1, 8},
                           {.unique = Unique::kKey, .key = "column", .order = Order::kMeant}),
                 "All of these hold.", required())
          .field("value", &Rule::value, value, "The value.", required())
          .field("sticks", &Rule::sticks, basics.boolean,
                 "True: once it has held after some event it holds for good.")
          .build();
  using T = DerivedColumn;
  return ObjectBuilder<T>(schema, "DerivedColumn",
                          "A column that follows from others. A change of it is written at once.")
      .field("name", &T::name, name, "Its name.", required())
      .field("rules", &T::rules, list_type(schema, rule, {1, 16}),
             "The first that holds gives the value.", required())
      .field("otherwise", &T::otherwise, value, "The value if none holds.", required())
      .build();
}

Typed<DedupeSpec> build_dedupe(Schema& schema, const Basics& basics) {
  using T = DedupeSpec;
  return ObjectBuilder<T>(schema, "DedupeSpec", "Events that came before are not counted again.")
      .field("by", &T::by, basics.column, "The column that tells events apart.", required())
      .field("window", &T::window, duration_type<std::chrono::seconds>(schema, {kSecond, 7 * kDay}),
             "How long an id is remembered after it arrived last, by the times of Kafka's records: "
             "at least so long, and at most an eighth longer.")
      .field("idsMax", &T::ids_max, integer_type<int64_t>(schema, {1000, kBillion}),
             "Of one partition. Each takes 22 to 43 bytes of memory. Where more would have to be "
             "remembered the binding halts: nothing is counted twice in silence.")
      .build();
}

}  // namespace

Typed<AggregatesSpec> build_aggregates(Schema& schema, Typed<StorageSpec> storage) {
  using T = AggregatesSpec;
  return ObjectBuilder<T>(schema, "AggregatesSpec",
                          "The processes that aggregate events, where a binding has `aggregate`.")
      .field("replicas", &T::replicas, integer_type<int32_t>(schema, {0, 1024}),
             "The number of processes; more than the event topic has partitions have nothing to "
             "do. With 0 the counts stand still.")
      .field("memoryBytes", &T::memory_bytes,
             integer_type<int64_t>(schema, {INT64_C(16) << 20, INT64_C(1) << 40}),
             "Of one process, for groups used lately. The others are on disk.")
      .field("sessionTimeout", &T::session_timeout,
             duration_type<std::chrono::seconds>(schema, {kSecond, 30 * kMinute}),
             "After which Kafka gives a silent process's partitions to another.")
      .field("storage", &T::storage, storage,
             "On a cluster: volumes for the processes' state. Without it: the node's disk.")
      .field("resources", &T::resources, json_object_type(schema),
             "On a cluster: `requests` and `limits` of a container.")
      .build();
}

Typed<AggregateSpec> build_aggregate(Schema& schema, const Basics& basics) {
  using T = AggregateSpec;
  const auto name = string_type(
      schema, {1, 128},
      Pattern{R"([^.\s\v"\\]+)", "one name, without dots, spaces, quotes or backslashes"});
  const auto history = enum_type<EventHistory>(
      schema, "EventHistory",
      {{EventHistory::kWhole, "Whole", "Nothing is counted, and the index says so."},
       {EventHistory::kKept, "Kept", "Those that are still there are counted."}});
  return ObjectBuilder<T>(schema, "AggregateSpec",
                          "Of each group of events one row, in a topic of its own. It has the "
                          "columns of `key`, and these.")
      .field("columns", &T::columns,
             list_type(schema, build_column(schema, basics, name), {1, 32},
                       {.unique = Unique::kKey, .key = "name", .order = Order::kMeant}),
             "What is computed of the events.", required())
      .field("derived", &T::derived,
             list_type(schema, build_derived(schema, basics, name), {0, 4},
                       {.unique = Unique::kKey, .key = "name", .order = Order::kMeant}),
             "What follows from that, such as a status.")
      .field("dedupe", &T::dedupe, build_dedupe(schema, basics),
             "Without it an event that is sent twice is counted twice.")
      .field("interval", &T::interval,
             duration_type<std::chrono::milliseconds>(schema, {10, kMinute}),
             "For how long changes of one group are gathered into one row.")
      .field("history", &T::history, history,
             "What if the first events are gone from the topic when the counting begins.")
      .field("revision", &T::revision, integer_type<int32_t>(schema, {0, 1'000'000'000}),
             "Another number counts anew, from the first event.")
      .rule({.cel = "!has(self.derived) || self.derived.all(d, !self.columns.exists(c, c.name == "
                    "d.name))",
             .message = "has the name of one of columns: choose another",
             .path = "derived"})
      .build();
}

// Not that columns are there: those rules are too many for the API server's budget, and validate()
// says which is not.
void add_aggregate_rules(ObjectBuilder<SourceBindingSpec>& builder) {
  builder.rule({.cel = "!has(self.aggregate) || has(self.source.http) || (has(self.source.kafka) "
                       "&& self.source.kafka.format == 'Json')",
                .message = "needs events: a source of http, or of kafka with `format: Json`",
                .path = "aggregate"},
               [](const SourceBindingSpec& spec) {
                 if (!spec.aggregate || std::holds_alternative<HttpSource>(spec.source))
                   return true;
                 const auto* kafka = std::get_if<KafkaSource>(&spec.source);
                 return kafka != nullptr && kafka->format == RecordFormat::kJson;
               });
  const std::string http = "!has(self.aggregate) || !has(self.source.http) || ";
  builder.rule({.cel = http + "self.source.http.topic.cleanup != 'Compact'",
                .message = "must not be Compact, which keeps one event of each key: they are "
                           "counted",
                .path = "source.http.topic.cleanup"},
               [](const SourceBindingSpec& spec) {
                 const auto* source = std::get_if<HttpSource>(&spec.source);
                 return !spec.aggregate || source == nullptr ||
                        source->topic.cleanup != TopicCleanup::kCompact;
               });
  builder.rule({.cel = http + "!has(self.source.http.partitionKey) || "
                              "self.source.http.partitionKey.all(k, k in self.key)",
                .message = "has a column that is not in the key: all events of a group have to be "
                           "in one partition; remove it",
                .path = "source.http.partitionKey"},
               [](const SourceBindingSpec& spec) {
                 const auto* source = std::get_if<HttpSource>(&spec.source);
                 return !spec.aggregate || source == nullptr ||
                        std::ranges::all_of(source->partition_key, [&](const std::string& column) {
                          return std::ranges::find(spec.key, column) != spec.key.end();
                        });
               });
  builder.rule({.cel = "!has(self.aggregate) || (self.aggregate.columns.all(c, !(c.name in "
                       "self.key)) && (!has(self.aggregate.derived) || "
                       "self.aggregate.derived.all(d, !(d.name in self.key))))",
                .message = "has a column with the name of one of the key: choose another",
                .path = "aggregate"});
  builder.rule({.cel = http + "!has(self.aggregate.dedupe) || "
                              "self.source.http.columns.exists(e, e.name == "
                              "self.aggregate.dedupe.by)",
                .message = "names a column that source.http.columns does not have",
                .path = "aggregate.dedupe"});
}

}  // namespace searchsync::model
