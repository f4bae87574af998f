#include "lib/model/status_schema.h"

#include "lib/model/basic_types.h"

namespace searchsync::model {
namespace {

constexpr int64_t kMany = std::numeric_limits<int64_t>::max();

struct StatusBasics {
  explicit StatusBasics(Schema& schema);

  Typed<std::string> message;
  Typed<int64_t> count;
  Typed<std::vector<Condition>> conditions;
};

StatusBasics::StatusBasics(Schema& schema)
    : message(string_type(schema, {0, kStatusMessageBytesMax})),
      count(integer_type<int64_t>(schema, {0, kMany})) {
  using enum ConditionStatus;
  const auto status = enum_type<ConditionStatus>(schema, "ConditionStatus",
                                                 {{kTrue, "True", "It holds."},
                                                  {kFalse, "False", "It does not hold."},
                                                  {kUnknown, "Unknown", "Nobody can tell."}});
  const auto condition =
      ObjectBuilder<Condition>(schema, "Condition", "One thing that holds, or does not.")
          .field("type", &Condition::type,
                 open_enum_type(
                     schema, "ConditionType", {1, 316},
                     {{"Ready", "What is declared is served, and kept equal."},
                      {"Available", "Queries are answered."},
                      {"Reconciling", "Something is being changed."},
                      {"Stalled", "Nothing goes on until a person has acted: see the message."},
                      {"Drifted",
                       "Somebody else has changed the alias, settings or mappings: see the "
                       "message, and `spec.drift`."}}),
                 "What may hold.", required())
          .field("status", &Condition::status, status, "Whether it holds.", required())
          .field("reason", &Condition::reason, string_type(schema, {1, 1024}),
                 "Why, in one word for programs.", required())
          .field("message", &Condition::message, message, "Why, in a sentence for people.",
                 required())
          .field("lastTransitionTime", &Condition::last_transition_time, time_type(schema),
                 "Since when `status` is what it is.", required())
          .field("observedGeneration", &Condition::observed_generation, count,
                 "The `metadata.generation` that this is about.")
          .build();
  conditions = list_type(schema, condition, {0, 16}, {.unique = Unique::kKey, .key = "type"});
}

Typed<WorkersStatus> build_workers(Schema& schema) {
  const auto count = integer_type<int32_t>(schema, {0, std::numeric_limits<int32_t>::max()});
  return ObjectBuilder<WorkersStatus>(schema, "WorkersStatus",
                                      "As `kubectl scale` and autoscalers see them.")
      .field("replicas", &WorkersStatus::replicas, count, "How many there are.")
      .field("ready", &WorkersStatus::ready, count, "How many of them are at work.")
      .field("selector", &WorkersStatus::selector, string_type(schema, {0, 1024}),
             "The labels of their pods.")
      .build();
}

Typed<TablesStatus> build_tables(Schema& schema) {
  const auto count = integer_type<int32_t>(schema, {0, std::numeric_limits<int32_t>::max()});
  return ObjectBuilder<TablesStatus>(schema, "TablesStatus", "How the tables of a database stand.")
      .field("kept", &TablesStatus::kept, count, "How many have a SearchIndex of their own.")
      .field("ready", &TablesStatus::ready, count, "How many of those are served and kept equal.")
      .field("refused", &TablesStatus::refused, count,
             "How many are selected and cannot be kept: the message says why.")
      .build();
}

Typed<std::string> build_phase(Schema& schema) {
  return open_enum_type(
      schema, "Phase", {0, 64},
      {{"Unknown", "Elasticsearch or Kafka cannot be reached: nothing is changed."},
       {"Pending", "Something that it needs is not there yet."},
       {"Snapshotting", "The tables are read."},
       {"Building", "A new index is being filled."},
       {"CatchingUp", "The new index is full; its lag has to stay low for a while."},
       {"AwaitingApproval", "The new index could be served; see `spec.reindex.approved`."},
       {"Checking", "The new index is complete, but does not answer `spec.reindex.checks`."},
       {"CuttingOver", "The alias moves to the new index."},
       {"Serving", "What is declared is served."},
       {"Suspended", "`spec.suspend` is set."},
       {"Stalled", "A person must act: see the message."},
       {"Deleting", "The resource is being deleted."}});
}

Typed<SearchIndexStatus> build_index_status(Schema& schema, const StatusBasics& basics) {
  using T = SearchIndexStatus;
  const auto index_name = named_type<IndexName>(schema, string_type(schema, {0, 255}));
  const auto generation = named_type<Generation>(schema, integer_type<int32_t>(schema, {0, 32767}));
  return ObjectBuilder<T>(schema, "SearchIndexStatus", "How the index stands.")
      .field("observedGeneration", &T::observed_generation, basics.count,
             "The `metadata.generation` that this is about: with a lower one than the resource's "
             "the operator has not yet seen the newest spec.")
      .field("phase", &T::phase, build_phase(schema),
             "Where the index is on its way to what is declared. For people: programs read "
             "`conditions`.")
      .field("message", &T::message, basics.message, "What is done next, or what it waits for.")
      .field("progress", &T::progress, integer_type<int32_t>(schema, {0, 100}),
             "Percent of the way to serving what is declared.")
      .field("serving", &T::serving, index_name,
             "The index that readers read. Without it: none yet.")
      .field("generation", &T::generation, generation,
             "The generation of `serving`: the high bits of its documents' versions.")
      .field("partitions", &T::partitions, basics.count,
             "How many partitions `serving` has. Without it: it is not partitioned.")
      .field("desired", &T::desired, index_name,
             "The index that is declared: the name to put into `spec.reindex.approved`.")
      .field("lagRecords", &T::lag_records, basics.count,
             "Records that are not yet in the index that readers read; before there is one, in "
             "the one that is built. Without it: not known.")
      .field("lagSeconds", &T::lag_seconds, basics.count,
             "How far behind that index is, in seconds. Without it: not known.")
      .field("rowsPerSecond", &T::rows_per_second, basics.count,
             "What its workers get done. Without it: not known.")
      .field("deadLetters", &T::dead_letters, basics.count,
             "Records that could not be used, and are in the dead-letter topic.")
      .field("workers", &T::workers, build_workers(schema), "The workers.")
      .field("tables", &T::tables, build_tables(schema),
             "Of an index with `spec.tables`: its tables.")
      .field("conditions", &T::conditions, basics.conditions, "What holds, for programs.")
      .field("notes", &T::notes, json_object_type(schema),
             "What the operator remembers of its own doings. Not for people, and not to be "
             "relied on.")
      .build();
}

Typed<SourceBindingStatus> build_binding_status(Schema& schema, const StatusBasics& basics) {
  using T = SourceBindingStatus;
  const auto state = open_enum_type(
      schema, "BindingState", {0, 64},
      {{"Unknown", "Kafka cannot be reached."},
       {"Waiting", "What it needs is not there yet: see the message."},
       {"Snapshotting", "Its table is read."},
       {"Running", "Changes arrive and are used."},
       {"Halted", "A record could not be used, and the index waits: see the message."},
       {"Invalid", "It cannot be read: see the message."},
       {"Suspended", "`spec.suspend` of the index is set."}});
  return ObjectBuilder<T>(schema, "SourceBindingStatus", "How the source stands.")
      .field("observedGeneration", &T::observed_generation, basics.count,
             "The `metadata.generation` that this is about.")
      .field("state", &T::state, state, "What becomes of its records.")
      .field("message", &T::message, basics.message, "Why, where that is not plain.")
      .field("lagRecords", &T::lag_records, basics.count,
             "Records that are not yet taken up. Without it: not known.")
      .field("deadLetters", &T::dead_letters, basics.count,
             "Records that could not be used, and are in the dead-letter topic.")
      .field("conditions", &T::conditions, basics.conditions, "What holds, for programs.")
      .build();
}

StatusTypes build_status_types(Schema& schema) {
  const StatusBasics basics(schema);
  return {.search_index = build_index_status(schema, basics),
          .source_binding = build_binding_status(schema, basics)};
}

}  // namespace

const StatusTypes& status_types() {
  static Schema schema;
  static const StatusTypes types = build_status_types(schema);
  return types;
}

}  // namespace searchsync::model
