#include "query/tiebreak.h"

#include <algorithm>
#include <optional>

namespace searchsync::query {
namespace {

// The field itself, or a keyword beside a text.
std::optional<std::string> exact_field(const std::string& path, const FieldCatalog& catalog) {
  const Field* field = catalog.find(path);
  if (field == nullptr) return std::nullopt;
  const auto usable = [](const Field& candidate) {
    return candidate.nested.empty() && candidate.doc_values && candidate.exact &&
           (candidate.kind == FieldKind::kInteger || candidate.kind == FieldKind::kKeyword);
  };
  if (usable(*field)) return path;
  for (const auto& [name, inner] : catalog.fields()) {
    if (inner.multi_field && name.starts_with(path + ".") && usable(inner)) return name;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> tiebreak_fields(std::span<const model::SourceBinding> bindings,
                                         const FieldCatalog& catalog) {
  const auto root = std::ranges::find_if(bindings, [](const model::SourceBinding& binding) {
    return std::holds_alternative<model::RootRelation>(binding.spec.relation);
  });
  if (root == bindings.end()) return {};
  std::vector<std::string> fields;
  for (const std::string& column : root->spec.key) {
    std::optional<std::string> found;
    for (const model::FieldMapping& mapping : root->spec.fields) {
      if (mapping.from == column && !found) found = exact_field(mapping.to, catalog);
    }
    if (!found) return {};
    fields.push_back(std::move(*found));
  }
  return fields;
}

}  // namespace searchsync::query
