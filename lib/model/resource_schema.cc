#include "lib/model/resource_schema.h"

#include <fmt/core.h>

#include "lib/model/basic_types.h"

namespace searchsync::model {
namespace {

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

template <class Resource, class Spec>
ObjectBuilder<Resource> build_resource(Schema& schema, std::string_view kind,
                                       std::string documentation, Typed<ObjectMeta> metadata,
                                       Typed<Spec> spec) {
  ObjectBuilder<Resource> builder(schema, std::string(kind), std::move(documentation));
  builder.constant("apiVersion", kApiVersion, "The version of this schema.")
      .constant("kind", kind, "The kind of resource.")
      .field("metadata", &Resource::metadata, metadata, "Who this is.", required())
      .field("spec", &Resource::spec, spec, "What is wanted.", required())
      .ignored("status", "What is; written by the operator.")
      // The API server lets a name have dots and 253 characters.
      .rule({.cel = "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",
             .message = "expected at most 63 lowercase letters, digits and -, with a "
                        "letter or digit at both ends",
             .path = "metadata.name"});
  return builder;
}

Typed<SearchIndex> build_search_index(Schema& schema, Typed<ObjectMeta> metadata,
                                      Typed<SearchIndexSpec> spec) {
  return build_resource<SearchIndex>(
             schema, kSearchIndexKind,
             "An index whose documents are a join over the sources of its bindings.", metadata,
             spec)
      .complete([](SearchIndex& index) {
        if (index.spec.index_name.empty()) index.spec.index_name = index.metadata.name;
      })
      .rule({.cel = "(has(self.spec.indexName) ? self.spec.indexName : self.metadata.name) == "
                    "(has(oldSelf.spec.indexName) ? oldSelf.spec.indexName : "
                    "oldSelf.metadata.name)",
             .message = "cannot be changed, and is the resource's name where it is not written: "
                        "create another SearchIndex with the new name, then delete this one",
             .path = "spec.indexName"})
      .build();
}

Typed<SourceBinding> build_source_binding(Schema& schema, Typed<ObjectMeta> metadata,
                                          Typed<SourceBindingSpec> spec) {
  auto builder = build_resource<SourceBinding>(schema, kSourceBindingKind,
                                               "One source of rows of one index.", metadata, spec);
  // Names with the namespace: several may share a Kafka.
  builder.complete([](SourceBinding& binding) {
    const auto& [name, space] = binding.metadata;
    auto& source = binding.spec.source;
    if (auto* http = std::get_if<HttpSource>(&source); http && http->topic.name.empty()) {
      http->topic.name = fmt::format("searchsync.{}.{}.events", space, name);
    }
    if (auto* table = std::get_if<PostgresSource>(&source); table && table->topic_prefix.empty()) {
      table->topic_prefix = fmt::format("capture.{}.{}", space, table->secret_ref.name);
    }
  });
  builder.rule({.cel = "self.metadata.name != 'root' || !has(self.spec.relation) || "
                       "has(self.spec.relation.root)",
                .message = "`root` means the root binding wherever a binding is "
                           "named: choose another name",
                .path = "metadata.name"});
  for (const std::string name : {"lookup", "children", "link"}) {
    const std::string relation = "self.spec.relation." + name;
    builder.rule(
        {.cel = fmt::format("!has(self.spec.relation) || !has({0}) || "
                            "{0}.of != self.metadata.name",
                            relation),
         .message = name == "lookup"
                        ? "a lookup cannot be of itself: name the binding that refers to it"
                        : "only a root has these: write `root`",
         .path = fmt::format("spec.relation.{}.of", name)});
  }
  return builder.build();
}

ResourceTypes build_resource_types(Schema& schema) {
  const Basics basics(schema);
  const auto metadata = build_metadata(schema, basics);
  const auto kafka = build_kafka(schema, basics);
  const auto ingest = build_ingest(schema, basics);
  const auto http = build_http_source(schema, basics);
  const auto storage = build_storage(schema, basics);
  const auto aggregates = build_aggregates(schema, storage);
  const auto aggregate = build_aggregate(schema, basics);
  return {
      .search_index = build_search_index(
          schema, metadata, build_index_spec(schema, basics, kafka, ingest, storage, aggregates)),
      .source_binding = build_source_binding(schema, metadata,
                                             build_binding_spec(schema, basics, http, aggregate)),
      .kafka = kafka,
      .ingest = ingest,
      .http_source = http,
      .aggregates = aggregates,
      .aggregate = aggregate,
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
