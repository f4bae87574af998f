#include "lib/model/basic_types.h"

namespace searchsync::model {
namespace {

Typed<std::vector<ScreenerSpec>> build_screeners(Schema& schema, const Basics& basics) {
  using T = ScreenerSpec;
  const auto order = enum_type<SortOrder>(schema, "SortOrder",
                                          {{SortOrder::kAscending, "asc", "Smallest first."},
                                           {SortOrder::kDescending, "desc", "Largest first."}});
  const auto sort = ObjectBuilder<SortSpec>(schema, "SortSpec", "As in the query language.")
                        .field("field", &SortSpec::field, basics.document_field,
                               "A field with one value to compare.", required())
                        .field("order", &SortSpec::order, order, "In which order.")
                        .build();
  const auto screener =
      ObjectBuilder<T>(schema, "ScreenerSpec",
                       "A query with a name. Its parts are those of a search; see `docs/query.md`.")
          .field("name", &T::name, basics.object_name, "Of the path.", required())
          .field("description", &T::description, string_type(schema, {0, 1024}), "For people.")
          .field(
              "filter", &T::filter, json_object_type(schema),
              "Which documents. A value `\"{{name}}\"` is a parameter, which whoever asks gives.")
          .field("sort", &T::sort, list_type(schema, sort, {0, 8}), "In which order.")
          .field("facets", &T::facets, json_object_type(schema), "What is counted by value.")
          .field("fields", &T::fields,
                 list_type(schema, basics.document_field, {0, 64}, {.unique = Unique::kItems}),
                 "What of the documents is returned. Empty: all.")
          .field("size", &T::size, integer_type<int32_t>(schema, {0, 10'000}),
                 "Documents on a page, unless whoever asks says otherwise.")
          .build();
  return list_type(schema, screener, {0, 64}, {.unique = Unique::kKey, .key = "name"});
}

Typed<std::vector<RelationSpec>> build_relations(Schema& schema, const Basics& basics) {
  using T = RelationSpec;
  const auto relation =
      ObjectBuilder<T>(schema, "RelationSpec",
                       "A way from the documents of this index to those of another: those belong "
                       "together that have the same value. For the way back, the other index "
                       "declares a relation of its own.")
          .field("name", &T::name, basics.object_name, "For the operator `related` of filters.",
                 required())
          .field("index", &T::index, basics.object_name,
                 "A SearchIndex of this namespace, at the same search engine.", required())
          .field("from", &T::from, basics.document_field,
                 "A keyword or integer field of this index.", required())
          .field("to", &T::to, basics.document_field,
                 "A field of the other index, of the same kind.", required())
          .build();
  return list_type(schema, relation, {0, 256}, {.unique = Unique::kKey, .key = "name"});
}

Typed<ArgumentSpec> build_argument(Schema& schema, const Basics& basics,
                                   Typed<std::string> identifier) {
  using T = ArgumentSpec;
  using enum ArgumentType;
  const auto type = enum_type<ArgumentType>(
      schema, "ArgumentType",
      {{kString, "String", "A text, for any type that has a text form."},
       {kInteger, "Integer", "A whole number of 64 bits."},
       {kNumber, "Number", "Any number, with all its digits."},
       {kBoolean, "Boolean", "True or false."},
       {kJson, "Json", "Any value, for a parameter that is json or jsonb."}});
  return ObjectBuilder<T>(schema, "ArgumentSpec", "A parameter of a function.")
      .field("name", &T::name, identifier, "The parameter's name.", required())
      .field("type", &T::type, type, "What is sent. `null` may always be.")
      .field("list", &T::list, basics.boolean,
             "True: an array of these, for a parameter that is an array.")
      .field("optional", &T::optional, basics.boolean,
             "True: it need not be sent, for the parameter has a default.")
      .rule({.cel = "!self.list || self.type != 'Json'",
             .message = "has no meaning with `type: Json`, which may be an array: remove it",
             .path = "list"},
            [](const T& argument) { return !argument.list || argument.type != kJson; })
      .build();
}

Typed<CommandsSpec> build_commands(Schema& schema, const Basics& basics,
                                   Typed<RateLimitSpec> rate_limit) {
  using T = CommandSpec;
  const auto identifier = string_type(
      schema, {1, 63}, Pattern{"[A-Za-z_][A-Za-z0-9_]*", "letters, digits and _, no digit first"});
  const auto function = string_type(
      schema, {3, 127},
      Pattern{R"([A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*)",
              "schema.function, of letters, digits and _, written as the database has them"});
  const auto result = enum_type<CommandResult>(
      schema, "CommandResult",
      {{CommandResult::kNothing, "Nothing", "What it returns is left out: 204."},
       {CommandResult::kOne, "One", "A value, or a row as an object."},
       {CommandResult::kMany, "Many", "Rows, as an array; 1,000 at most."}});
  const auto command =
      ObjectBuilder<T>(schema, "CommandSpec", "A function of PostgreSQL that may be called.")
          .field("name", &T::name, identifier, "Of the path `/rpc/{name}`.", required())
          .field("function", &T::function, function,
                 "The function. It runs in a transaction of its own.", required())
          .field("description", &T::description, string_type(schema, {0, 1024}), "For people.")
          .field("arguments", &T::arguments,
                 list_type(schema, build_argument(schema, basics, identifier), {0, 64},
                           {.unique = Unique::kKey, .key = "name"}),
                 "Its parameters. Others are refused.")
          .field("returns", &T::returns, result, "What is answered.")
          .build();
  return ObjectBuilder<CommandsSpec>(schema, "CommandsSpec",
                                     "Functions of one database that may be called at "
                                     "`/rpc/{name}`; see `docs/commands.md`.")
      .field("secretRef", &CommandsSpec::secret_ref, basics.secret_ref,
             "The database, and a role that may call these functions and write nothing by itself: "
             "uri, or host, port, dbname, username and password, as of a PostgreSQL source.",
             required())
      .field("functions", &CommandsSpec::functions,
             list_type(schema, command, {1, 64}, {.unique = Unique::kKey, .key = "name"}),
             "Those that may be called.", required())
      .field("connections", &CommandsSpec::connections, integer_type<int32_t>(schema, {1, 100}),
             "To the database, of one query process. What finds none free in time is answered 503.")
      .field("timeout", &CommandsSpec::timeout,
             duration_type<std::chrono::milliseconds>(schema, {100, kMinute}),
             "How long a command may take; then it is rolled back.")
      .field("rateLimit", &CommandsSpec::rate_limit, rate_limit,
             "Of commands alone, beside `query.rateLimit`, which counts them too.")
      .build();
}

}  // namespace

Typed<RateLimitSpec> build_rate_limit(Schema& schema) {
  using T = RateLimitSpec;
  return ObjectBuilder<T>(schema, "RateLimitSpec",
                          "How often one caller may ask each query process: who presents one API "
                          "key or, without keys, who comes from one address.")
      .field("perSecond", &T::per_second, integer_type<int32_t>(schema, {1, 1'000'000}),
             "In the long run.", required())
      .field("burst", &T::burst, integer_type<int32_t>(schema, {1, 1'000'000}), "At once.")
      .build();
}

Typed<QuerySpec> build_query(Schema& schema, const Basics& basics) {
  const auto rate_limit = build_rate_limit(schema);
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
             "How long a query may take; then it fails.")
      .field("absent", &QuerySpec::absent, json_object_type(schema),
             "What is answered as the document of an id that has none. Without it that is 404.")
      .field("screeners", &QuerySpec::screeners, build_screeners(schema, basics),
             "Queries with a name, for `/v1/{index}/screeners/{name}`.")
      .field("relations", &QuerySpec::relations, build_relations(schema, basics),
             "Ways to the documents of other indices.")
      .field("relatedKeysMax", &QuerySpec::related_keys_max,
             integer_type<int32_t>(schema, {1, 60'000}),
             "The most values by which one filter may relate documents; more are an error.")
      .field(
          "keysSecretRef", &QuerySpec::keys_secret_ref, basics.secret_ref,
          "A secret of which each entry is one API key, and what it may see; see `docs/query.md`. "
          "Without it, whoever reaches the service may ask everything.")
      .field("rateLimit", &QuerySpec::rate_limit, rate_limit,
             "More is answered 429. Without it there is no bound.")
      .field("commands", &QuerySpec::commands, build_commands(schema, basics, rate_limit),
             "Functions of a database that may be called. Without it, none.")
      .field("resources", &QuerySpec::resources, json_object_type(schema),
             "On a cluster: `requests` and `limits` of a query container.")
      .build();
}

}  // namespace searchsync::model
