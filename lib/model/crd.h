#pragma once

// The custom resource definitions, from the types that also read the resources: what the API server
// accepts, searchsync reads.

#include <optional>
#include <string>
#include <vector>

#include "lib/model/node.h"
#include "lib/model/schema.h"

namespace searchsync::model {

// A column of `kubectl get`.
struct PrinterColumn {
  std::string name;
  std::string type;  // string, integer or date
  std::string path;  // ".status.phase"
  std::string documentation;
  enum class Shown { kAlways, kWide } shown = Shown::kAlways;
};

// What `kubectl scale` and autoscalers read and write.
struct ScalePaths {
  std::string replicas;         // ".spec.replicas"
  std::string status_replicas;  // ".status.replicas"
  std::string selector;         // ".status.selector"
};

struct CustomResource {
  const Type* resource = nullptr;  // with a constant apiVersion and kind
  const Type* status = nullptr;
  std::string singular;
  std::string plural;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  std::vector<PrinterColumn> columns;
  std::optional<ScalePaths> scale;
  std::vector<std::string> selectable;  // paths that `kubectl get --field-selector` takes
};

// The definition, an object of apiextensions.k8s.io/v1.
Node custom_resource_definition(const CustomResource& resource);

// A definition as a file.
struct Crd {
  std::string file;  // "searchsync.io_searchindices.yaml"
  std::string text;  // YAML, one document, and where it comes from
};

// Ours, in the order in which to apply them.
std::vector<Crd> render_crds();

}  // namespace searchsync::model
