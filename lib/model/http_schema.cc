#include <fmt/core.h>

#include <algorithm>

#include "lib/model/basic_types.h"

namespace searchsync::model {
namespace {

const EventColumn* find_column(const HttpSource& http, std::string_view name) {
  const auto found = std::find_if(http.columns.begin(), http.columns.end(),
                                  [&](const EventColumn& column) { return column.name == name; });
  return found == http.columns.end() ? nullptr : &*found;
}

bool has_column(const HttpSource& http, const std::optional<std::string>& name, ColumnType type) {
  if (!name) return true;
  const EventColumn* column = find_column(http, *name);
  return column != nullptr && column->type == type;
}

// Whether each of `names` is a column that every event has, and that has one way to be written.
bool are_keys(const HttpSource& http, const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    const EventColumn* column = find_column(http, name);
    return column != nullptr && column->type != ColumnType::kNumber &&
           column->type != ColumnType::kJson &&
           (column->required || http.event_id == name || http.timestamp == name);
  });
}

// In CEL, of `names` and the source `http`.
std::string are_keys_cel(std::string_view names, std::string_view http) {
  return fmt::format(
      "{0}.all(k, {1}.columns.exists(c, c.name == k && c.type != 'Number' && c.type != 'Json' && "
      "(c.required || (has({1}.eventId) && {1}.eventId == k) || "
      "(has({1}.timestamp) && {1}.timestamp == k))))",
      names, http);
}

constexpr const char* kKeysMessage =
    "names a column that is not there, may be absent, or is of type Number or Json: name columns "
    "that are required, or are the eventId or timestamp";

Typed<EventColumn> build_column(Schema& schema, const Basics& basics) {
  using T = EventColumn;
  using enum ColumnType;
  const auto type = enum_type<ColumnType>(
      schema, "ColumnType",
      {{kString, "String", "A text."},
       {kInteger, "Integer", "A whole number of 64 bits."},
       {kNumber, "Number", "Any number."},
       {kBoolean, "Boolean", "True or false."},
       {kTimestamp, "Timestamp",
        "A time as `2026-01-31T12:00:00Z`, with a fraction and with any offset. It is kept in UTC, "
        "with six digits of a second."},
       {kJson, "Json", "Any value, objects and arrays too."}});
  const auto bound = integer_type<int64_t>(
      schema, {-(INT64_C(1) << 53), INT64_C(1) << 53});  // that JSON's readers agree about
  return ObjectBuilder<T>(schema, "EventColumn", "A field that an event may have.")
      .field("name", &T::name, basics.column, "The field's name in the event.", required())
      .field("type", &T::type, type, "What its value is.")
      .field("required", &T::required, basics.boolean,
             "True: an event without it is refused. It may come from the path.")
      .field("bytesMax", &T::bytes_max, integer_type<int32_t>(schema, {1, 1'000'000}),
             "Of a String, in UTF-8.")
      .field("values", &T::values,
             list_type(schema, string_type(schema, {1, 256}), {0, 64}, {.unique = Unique::kItems}),
             "Those that a String may have. Empty: any.")
      .field("minimum", &T::minimum, bound, "Of an Integer or Number.")
      .field("maximum", &T::maximum, bound, "Of an Integer or Number.")
      .rule({.cel = "self.type == 'String' || (!has(self.bytesMax) && (!has(self.values) || "
                    "self.values.size() == 0))",
             .message = "has bytesMax or values, which only a String has: remove them",
             .path = "type"},
            [](const T& column) {
              return column.type == kString || (!column.bytes_max && column.values.empty());
            })
      .rule({.cel = "self.type == 'Integer' || self.type == 'Number' || (!has(self.minimum) && "
                    "!has(self.maximum))",
             .message = "has minimum or maximum, which only an Integer or Number has: remove them",
             .path = "type"},
            [](const T& column) {
              return column.type == kInteger || column.type == kNumber ||
                     (!column.minimum && !column.maximum);
            })
      .rule({.cel = "!has(self.minimum) || !has(self.maximum) || self.minimum <= self.maximum",
             .message = "is more than maximum: lower it, or raise maximum",
             .path = "minimum"},
            [](const T& column) {
              return !column.minimum || !column.maximum || *column.minimum <= *column.maximum;
            })
      // It is how an envelope of Kafka Connect begins.
      .rule({.cel = "self.name != 'schema'",
             .message = "`schema` has a meaning in records of Kafka: choose another name",
             .path = "name"},
            [](const T& column) { return column.name != "schema"; })
      .build();
}

Typed<EventTopic> build_topic(Schema& schema, const Basics& basics) {
  using T = EventTopic;
  const auto cleanup = enum_type<TopicCleanup>(
      schema, "TopicCleanup",
      {{TopicCleanup::kDelete, "Delete", "What is older than `retention`."},
       {TopicCleanup::kCompact, "Compact", "All but the newest event of each key."}});
  return ObjectBuilder<T>(schema, "EventTopic",
                          "The topic that the events are kept in. The operator makes it; what is "
                          "there is left as it is, and it stays when the index is deleted.")
      .field("name", &T::name, basics.topic, "Its name. Other bindings may read it as `kafka`.",
             {.default_says = "searchsync.<namespace>.<binding>.events"})
      .field("partitions", &T::partitions, integer_type<int32_t>(schema, {1, 1024}),
             "Its partitions.")
      .field("cleanup", &T::cleanup, cleanup, "What Kafka deletes.")
      .field("retention", &T::retention,
             duration_type<std::chrono::seconds>(schema, {kMinute, 3650 * kDay}),
             "How long events are kept. Without it: for ever, so that an index of another shape "
             "can be built from all of them.")
      .rule(
          {.cel = "!has(self.retention) || self.cleanup == 'Delete'",
           .message = "has no meaning with `cleanup: Compact`: remove it",
           .path = "retention"},
          [](const T& topic) { return !topic.retention || topic.cleanup == TopicCleanup::kDelete; })
      .build();
}

Typed<EventLimits> build_limits(Schema& schema) {
  using T = EventLimits;
  return ObjectBuilder<T>(schema, "EventLimits", "Of requests and events.")
      .field("bodyBytesMax", &T::body_bytes_max, integer_type<int32_t>(schema, {1024, 64 << 20}),
             "Of a request's body, decompressed too.")
      .field("eventsMax", &T::events_max, integer_type<int32_t>(schema, {1, 100'000}),
             "Events in one request.")
      .field("eventBytesMax", &T::event_bytes_max, integer_type<int32_t>(schema, {256, 8 << 20}),
             "Of an event as it is kept. Kafka's own bound is 1 MiB where nobody has raised it.")
      .build();
}

}  // namespace

Typed<HttpSource> build_http_source(Schema& schema, const Basics& basics) {
  using T = HttpSource;
  const auto path = string_type(
      schema, {2, 256},
      Pattern{
          R"((/([A-Za-z0-9._~-]+|\{[A-Za-z_][A-Za-z0-9_.-]*\}))+)",
          "a path such as /events/{domain}, of letters, digits and ._~-, with columns' names in "
          "braces"});
  return ObjectBuilder<T>(schema, "HttpSource",
                          "Events that `searchsync ingest` takes by POST and PUT, and appends to a "
                          "topic.")
      .field("paths", &T::paths,
             list_type(schema, path, {1, 8}, {.unique = Unique::kItems, .order = Order::kMeant}),
             "Where events are sent to. A segment in braces, as in `/events/{domain}`, is the "
             "value of that column for every event of the request.",
             required())
      .field("columns", &T::columns,
             list_type(schema, build_column(schema, basics), {1, 128},
                       {.unique = Unique::kKey, .key = "name", .order = Order::kMeant}),
             "The fields that an event may have; others are refused. A row has all of them, in "
             "this order.",
             required())
      .field("eventId", &T::event_id, basics.column,
             "A String column that tells events apart: filled in with a UUID where it is absent. "
             "As the binding's key it makes the same event, sent twice, one row.")
      .field("timestamp", &T::timestamp, basics.column,
             "A Timestamp column that is filled in with the time of arrival where it is absent.")
      .field("partitionKey", &T::partition_key, basics.columns,
             "Events that are equal in these columns keep their order. Of an event that is sent "
             "again they must be the same.",
             {.default_says = "the binding's key"})
      .field("tokensSecretRef", &T::tokens_secret_ref, basics.secret_ref,
             "A secret whose entry `tokens` has one bearer token a line, each of at least 16 "
             "characters. Without it everybody who reaches the port may send.")
      .field("topic", &T::topic, build_topic(schema, basics), "Where the events are kept.")
      .field("limits", &T::limits, build_limits(schema), "Of requests and events.")
      .rule({.cel = "!has(self.eventId) || self.columns.exists(c, c.name == self.eventId && "
                    "c.type == 'String')",
             .message = "names no column of type String: add that column, or name another",
             .path = "eventId"},
            [](const T& http) { return has_column(http, http.event_id, ColumnType::kString); })
      .rule({.cel = "!has(self.timestamp) || self.columns.exists(c, c.name == self.timestamp && "
                    "c.type == 'Timestamp')",
             .message = "names no column of type Timestamp: add that column, or name another",
             .path = "timestamp"},
            [](const T& http) { return has_column(http, http.timestamp, ColumnType::kTimestamp); })
      .rule({.cel = fmt::format("!has(self.partitionKey) || {}",
                                are_keys_cel("self.partitionKey", "self")),
             .message = kKeysMessage,
             .path = "partitionKey"},
            [](const T& http) { return are_keys(http, http.partition_key); })
      .build();
}

void add_http_rules(ObjectBuilder<SourceBindingSpec>& builder) {
  using T = SourceBindingSpec;
  constexpr const char* kHttp = "self.source.http";
  builder.complete([](T& spec) {
    auto* http = std::get_if<HttpSource>(&spec.source);
    if (http != nullptr && http->partition_key.empty()) http->partition_key = spec.key;
  });
  builder.rule({.cel = fmt::format("!has({0}) || !has(self.key) || {1}", kHttp,
                                   are_keys_cel("self.key", kHttp)),
                .message = kKeysMessage,
                .path = "key"},
               [](const T& spec) {
                 const auto* http = std::get_if<HttpSource>(&spec.source);
                 return http == nullptr || are_keys(*http, spec.key);
               });
  builder.rule({.cel = fmt::format("!has({0}) || {0}.topic.cleanup != 'Compact' || "
                                   "!has({0}.partitionKey) || !has(self.key) || "
                                   "{0}.partitionKey == self.key",
                                   kHttp),
                .message = "must be the binding's key with `cleanup: Compact`, which keeps one "
                           "event of each: remove one of them",
                .path = "source.http.partitionKey"},
               [](const T& spec) {
                 const auto* http = std::get_if<HttpSource>(&spec.source);
                 return http == nullptr || http->topic.cleanup != TopicCleanup::kCompact ||
                        http->partition_key == spec.key;
               });
  // validate() says which; and of fields and paths, which are too many for the API server's budget.
  // Where events are aggregated the rows have other columns.
  constexpr const char* kNoColumn = "names a column that source.http.columns does not have";
  for (const std::string list : {"children.from", "link.near", "link.far"}) {
    const std::string relation = list.substr(0, list.find('.'));
    builder.rule({.cel = fmt::format("!has({0}) || has(self.aggregate) || !has(self.relation) || "
                                     "!has(self.relation.{1}) || "
                                     "self.relation.{2}.all(k, {0}.columns.exists(c, c.name == k))",
                                     kHttp, relation, list),
                  .message = kNoColumn,
                  .path = "relation." + list});
  }
}

}  // namespace searchsync::model
