#include "lib/model/crd.h"

#include <fmt/core.h>

#include "lib/base/check.h"
#include "lib/model/crd_schema.h"
#include "lib/model/crd_yaml.h"
#include "lib/model/resource_schema.h"
#include "lib/model/status_schema.h"

namespace searchsync::model {
namespace {

constexpr std::string_view kHeader =
    "# Made by `searchsync docs crds` from lib/model/*_schema.cc. To bring it up to date:\n"
    "# UPDATE_GOLDEN=1 ctest -R model_test\n";

Node text(std::string_view value) {
  return {.value = std::string(value), .position = {}};
}

Node truth(bool value) {
  return {.value = value, .position = {}};
}

Node number(int64_t value) {
  return {.value = value, .position = {}};
}

Node texts(const std::vector<std::string>& values) {
  Node::Sequence sequence;
  for (const std::string& value : values) sequence.push_back(text(value));
  return {.value = std::move(sequence), .position = {}};
}

Node mapping(std::initializer_list<Node::Entry> entries) {
  return {.value = Node::Mapping(entries), .position = {}};
}

Node::Entry entry(std::string key, Node value) {
  return {std::move(key), {}, std::move(value)};
}

std::string_view constant(const Type& resource, std::string_view field) {
  for (const Field& one : resource.fields) {
    if (one.name == field) return one.type->constant;
  }
  CHECK(false, "{} has no {}", resource.name, field);
}

Node names(const CustomResource& resource, std::string_view kind) {
  return mapping({entry("kind", text(kind)), entry("listKind", text(fmt::format("{}List", kind))),
                  entry("singular", text(resource.singular)),
                  entry("plural", text(resource.plural)),
                  entry("shortNames", texts(resource.short_names)),
                  entry("categories", texts(resource.categories))});
}

Node column(const PrinterColumn& column) {
  Node out = mapping({entry("name", text(column.name)), entry("type", text(column.type)),
                      entry("jsonPath", text(column.path))});
  auto& entries = std::get<Node::Mapping>(out.value);
  if (!column.documentation.empty()) {
    entries.push_back(entry("description", text(column.documentation)));
  }
  if (column.shown == PrinterColumn::Shown::kWide) entries.push_back(entry("priority", number(1)));
  return out;
}

Node subresources(const CustomResource& resource) {
  Node out = mapping({entry("status", mapping({}))});
  if (resource.scale) {
    std::get<Node::Mapping>(out.value).push_back(
        entry("scale", mapping({entry("specReplicasPath", text(resource.scale->replicas)),
                                entry("statusReplicasPath", text(resource.scale->status_replicas)),
                                entry("labelSelectorPath", text(resource.scale->selector))})));
  }
  return out;
}

Node version(const CustomResource& resource, std::string_view name) {
  Node out =
      mapping({entry("name", text(name)), entry("served", truth(true)),
               entry("storage", truth(true)), entry("subresources", subresources(resource))});
  auto& entries = std::get<Node::Mapping>(out.value);
  Node::Sequence columns;
  for (const PrinterColumn& one : resource.columns) columns.push_back(column(one));
  entries.push_back(
      entry("additionalPrinterColumns", {.value = std::move(columns), .position = {}}));
  if (!resource.selectable.empty()) {
    Node::Sequence fields;
    for (const std::string& path : resource.selectable) {
      fields.push_back(mapping({entry("jsonPath", text(path))}));
    }
    entries.push_back(entry("selectableFields", {.value = std::move(fields), .position = {}}));
  }
  entries.push_back(entry(
      "schema",
      mapping({entry("openAPIV3Schema", resource_schema(*resource.resource, *resource.status))})));
  return out;
}

// In no category `all`: `kubectl delete all --all` is a habit, and these may own data.
const std::vector<std::string> kCategories = {"searchsync"};

CustomResource search_index() {
  using enum PrinterColumn::Shown;
  return {.resource = resource_types().search_index.type,
          .status = status_types().search_index.type,
          .singular = "searchindex",
          .plural = "searchindices",
          .short_names = {"sidx"},
          .categories = kCategories,
          .columns =
              {{"Ready", "string", R"(.status.conditions[?(@.type=="Ready")].status)",
                "Whether what is declared is served, and kept equal."},
               {"Phase", "string", ".status.phase", "Where it is on its way to what is declared."},
               {"Serving", "string", ".status.serving", "The index that readers read."},
               {"Lag", "integer", ".status.lagRecords", "Records that are not yet in it."},
               {"Progress", "integer", ".status.progress",
                "Percent of the way to serving what is declared."},
               {"Age", "date", ".metadata.creationTimestamp", ""},
               {"Available", "string", R"(.status.conditions[?(@.type=="Available")].status)",
                "Whether queries are answered.", kWide},
               {"Desired", "string", ".status.desired", "The index that is declared.", kWide},
               {"Workers", "integer", ".status.workers.ready", "Workers that are at work.", kWide},
               {"Dead", "integer", ".status.deadLetters", "Records that could not be used.", kWide},
               {"Message", "string", ".status.message", "What is done next, or what it waits for.",
                kWide}},
          .scale = ScalePaths{".spec.workers.replicas", ".status.workers.replicas",
                              ".status.workers.selector"},
          .selectable = {}};
}

// A union has no one path: which relation a binding has is no column.
CustomResource source_binding() {
  using enum PrinterColumn::Shown;
  return {
      .resource = resource_types().source_binding.type,
      .status = status_types().source_binding.type,
      .singular = "sourcebinding",
      .plural = "sourcebindings",
      .short_names = {"sbind"},
      .categories = kCategories,
      .columns = {{"Index", "string", ".spec.indexRef.name", "The index it is a part of."},
                  {"State", "string", ".status.state", "What becomes of its records."},
                  {"Lag", "integer", ".status.lagRecords", "Records that are not yet taken up."},
                  {"Dead", "integer", ".status.deadLetters", "Records that could not be used."},
                  {"Age", "date", ".metadata.creationTimestamp", ""},
                  {"Table", "string", ".spec.source.postgres.table", "The table it reads.", kWide},
                  {"Topic", "string", ".spec.source.kafka.topic", "The topic it reads.", kWide},
                  {"Message", "string", ".status.message", "Why, where that is not plain.", kWide}},
      .scale = std::nullopt,
      .selectable = {".spec.indexRef.name"}};
}

}  // namespace

Node custom_resource_definition(const CustomResource& resource) {
  const std::string_view api_version = constant(*resource.resource, "apiVersion");
  const size_t slash = api_version.find('/');
  const std::string_view group = api_version.substr(0, slash);
  return mapping(
      {entry("apiVersion", text("apiextensions.k8s.io/v1")),
       entry("kind", text("CustomResourceDefinition")),
       entry("metadata",
             mapping({entry("name", text(fmt::format("{}.{}", resource.plural, group)))})),
       entry("spec", mapping({entry("group", text(group)), entry("scope", text("Namespaced")),
                              entry("names", names(resource, constant(*resource.resource, "kind"))),
                              entry("versions", {.value = Node::Sequence{version(
                                                     resource, api_version.substr(slash + 1))},
                                                 .position = {}})}))});
}

std::vector<Crd> render_crds() {
  std::vector<Crd> crds;
  for (const CustomResource& resource : {search_index(), source_binding()}) {
    const std::string_view api_version = constant(*resource.resource, "apiVersion");
    crds.push_back(
        {fmt::format("{}_{}.yaml", api_version.substr(0, api_version.find('/')), resource.plural),
         std::string(kHeader) + write_yaml(custom_resource_definition(resource))});
  }
  return crds;
}

}  // namespace searchsync::model
