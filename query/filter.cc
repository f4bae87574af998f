#include "query/filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/base/utf8.h"
#include "lib/elastic/json_text.h"
#include "query/values.h"

namespace searchsync::query {
namespace {

using elastic::append_quoted;
using model::Node;

std::string quoted(std::string_view text) {
  std::string json;
  append_quoted(json, text);
  return json;
}

constexpr std::string_view kOperators =
    "and, or, not, equals, in, exists, range, prefix, text, nested, related";

class Translator {
 public:
  Translator(const FieldCatalog& catalog, Faults& faults) : catalog_(catalog), faults_(faults) {}
  Translator(const Rules& rules, std::vector<RelatedQuery>& related, Faults& faults)
      : catalog_(rules.catalog),
        faults_(faults),
        relations_(&rules.relations),
        related_(&related) {}

  // context: the nested array whose elements are judged; empty: whole documents.
  std::string filter(const Node& node, const std::string& path, const std::string& context,
                     int depth) {
    if (too_large(path, depth)) return {};
    const Node::Mapping* mapping = node.mapping();
    if (mapping == nullptr || mapping->size() != 1) {
      faults_.add(path, fmt::format("an object with exactly one of: {}", kOperators));
      return {};
    }
    const std::string& name = mapping->front().key;
    const Node& operand = mapping->front().value;
    const std::string inner = path + "." + name;
    if (name == "and" || name == "or") return list(name, operand, inner, context, depth);
    if (name == "not") {
      return R"({"bool":{"must_not":[)" + filter(operand, inner, context, depth + 1) + "]}}";
    }
    if (name == "equals") return equals(operand, inner, context);
    if (name == "in") return in(operand, inner, context);
    if (name == "exists") return exists(operand, inner, context);
    if (name == "range") return range(operand, inner, context);
    if (name == "prefix") return prefix(operand, inner, context);
    if (name == "text") return text(operand, inner, context);
    if (name == "nested") return nested(operand, inner, context, depth);
    if (name == "related") return related(operand, inner, context, depth);
    faults_.add(
        path, fmt::format("no operator `{}`; expected one of: {}", cut_utf8(name, 32), kOperators));
    return {};
  }

 private:
  bool too_large(const std::string& path, int depth) {
    ++nodes_;
    if (depth > kFilterDepthMax) {
      faults_.add(path, fmt::format("filters at most {} deep", kFilterDepthMax));
      return true;
    }
    if (nodes_ == kFilterNodesMax + 1) {
      faults_.add(path, fmt::format("at most {} filters in all", kFilterNodesMax));
    }
    return nodes_ > kFilterNodesMax;
  }

  std::string list(const std::string& name, const Node& operand, const std::string& path,
                   const std::string& context, int depth) {
    const Node::Sequence* filters = operand.sequence();
    if (filters == nullptr || filters->empty()) {
      faults_.add(path, "an array of at least one filter");
      return {};
    }
    std::string parts;
    for (size_t i = 0; i < filters->size() && nodes_ <= kFilterNodesMax; ++i) {
      if (i > 0) parts += ',';
      parts += filter((*filters)[i], fmt::format("{}[{}]", path, i), context, depth + 1);
    }
    if (name == "and") return R"({"bool":{"filter":[)" + parts + "]}}";
    return R"({"bool":{"should":[)" + parts + R"(],"minimum_should_match":1}})";
  }

  // The members of an operand that is an object of `allowed` members, "field" among them. Null, and
  // a fault, if it is not.
  const Node::Mapping* operand_of(const Node& operand, const std::string& path,
                                  std::initializer_list<std::string_view> allowed) {
    const Node::Mapping* mapping = operand.mapping();
    if (mapping == nullptr) {
      faults_.add(path, fmt::format("an object with {}", fmt::join(allowed, ", ")));
      return nullptr;
    }
    for (const Node::Entry& entry : *mapping) {
      if (std::ranges::find(allowed, entry.key) != allowed.end()) continue;
      faults_.add(fmt::format("{}.{}", path, cut_utf8(entry.key, 32)),
                  fmt::format("nothing; only {} belong here", fmt::join(allowed, ", ")));
    }
    return mapping;
  }

  // The field that the operand names, if `name` may be asked of it.
  const Field* field_of(const Node& operand, const std::string& path, std::string_view name,
                        const std::string& context) {
    const Node* member = operand.find("field");
    const std::string at = path + ".field";
    if (member == nullptr || member->string() == nullptr) {
      faults_.add(at, "the name of a field");
      return nullptr;
    }
    const Field* field = catalog_.find(*member->string());
    if (field == nullptr) {
      faults_.add(at, catalog_.unknown(*member->string()));
      return nullptr;
    }
    if (const std::string problem = refusal(*field, name, context); !problem.empty()) {
      faults_.add(at, problem);
      return nullptr;
    }
    return field;
  }

  static std::string refusal(const Field& field, std::string_view name,
                             const std::string& context) {
    if (!field.filterable) {
      return fmt::format("a field that queries may use; `{}` is not in spec.query.filterable",
                         field.path);
    }
    if (!field.searchable) {
      return fmt::format("a searchable field; the mappings switch searching of `{}` off",
                         field.path);
    }
    if (!context.empty() && field.nested != context && !field.nested.starts_with(context + ".")) {
      return fmt::format("a field of `{}`, because this filter is about its elements", context);
    }
    const auto operators = operators_of(field);
    if (std::ranges::find(operators, name) != operators.end()) return {};
    if (field.kind == FieldKind::kText) {
      return fmt::format("`{}` is of type {}: use `text`, or a keyword field beside it", field.path,
                         field.type);
    }
    return fmt::format("`{}` is of type {}, which understands only {}", field.path, field.type,
                       fmt::join(operators, ", "));
  }

  static std::string wrap(const Field& field, const std::string& context, std::string query) {
    if (field.nested == context) return query;
    return fmt::format(R"({{"nested":{{"path":{},"query":{}}}}})", quoted(field.nested), query);
  }

  bool check(const Field& field, const Node& value, const std::string& path,
             Comparison comparison) {
    const auto fault = value_fault(field, value, comparison);
    if (fault) faults_.add(path, *fault);
    return !fault;
  }

  std::string equals(const Node& operand, const std::string& path, const std::string& context) {
    if (operand_of(operand, path, {"field", "value"}) == nullptr) return {};
    const Field* field = field_of(operand, path, "equals", context);
    const Node* value = operand.find("value");
    if (value == nullptr) faults_.add(path + ".value", "the value that the field must have");
    if (field == nullptr || value == nullptr) return {};
    if (!check(*field, *value, path + ".value", Comparison::kEquality)) return {};
    return wrap(
        *field, context,
        fmt::format(R"({{"term":{{{}:{{"value":{}}}}}}})", quoted(field->path), to_json(*value)));
  }

  std::string in(const Node& operand, const std::string& path, const std::string& context) {
    if (operand_of(operand, path, {"field", "values"}) == nullptr) return {};
    const Field* field = field_of(operand, path, "in", context);
    const Node* member = operand.find("values");
    const Node::Sequence* values = member == nullptr ? nullptr : member->sequence();
    if (values == nullptr || values->empty() || values->size() > kInValuesMax) {
      faults_.add(path + ".values", fmt::format("an array of 1 to {} values", kInValuesMax));
      return {};
    }
    if (field == nullptr) return {};
    for (size_t i = 0; i < values->size(); ++i) {
      check(*field, (*values)[i], fmt::format("{}.values[{}]", path, i), Comparison::kEquality);
    }
    return wrap(*field, context,
                fmt::format(R"({{"terms":{{{}:{}}}}})", quoted(field->path), to_json(*member)));
  }

  std::string exists(const Node& operand, const std::string& path, const std::string& context) {
    if (operand_of(operand, path, {"field"}) == nullptr) return {};
    const Field* field = field_of(operand, path, "exists", context);
    if (field == nullptr) return {};
    if (field->kind == FieldKind::kNested) return wrap(*field, context, R"({"match_all":{}})");
    return wrap(*field, context,
                fmt::format(R"({{"exists":{{"field":{}}}}})", quoted(field->path)));
  }

  std::string range(const Node& operand, const std::string& path, const std::string& context) {
    if (operand_of(operand, path, {"field", "gte", "gt", "lte", "lt"}) == nullptr) return {};
    const Field* field = field_of(operand, path, "range", context);
    const auto has = [&](std::string_view key) { return operand.find(key) != nullptr; };
    if ((has("gte") && has("gt")) || (has("lte") && has("lt"))) {
      faults_.add(path, "one lower bound (gte or gt) and one upper bound (lte or lt) at most");
    }
    std::string bounds;
    for (const std::string_view key : {"gte", "gt", "lte", "lt"}) {
      const Node* value = operand.find(key);
      if (value == nullptr) continue;
      if (field != nullptr)
        check(*field, *value, fmt::format("{}.{}", path, key), Comparison::kOrder);
      bounds += fmt::format("{}\"{}\":{}", bounds.empty() ? "" : ",", key, to_json(*value));
    }
    if (bounds.empty()) faults_.add(path, "at least one bound: gte, gt, lte or lt");
    if (field == nullptr) return {};
    return wrap(*field, context,
                fmt::format(R"({{"range":{{{}:{{{}}}}}}})", quoted(field->path), bounds));
  }

  // A text that the operand must have under `key`, not empty.
  const std::string* words_of(const Node& operand, const std::string& path, std::string_view key) {
    const Node* member = operand.find(key);
    const std::string* words = member == nullptr ? nullptr : member->string();
    if (words != nullptr && !words->empty() && words->size() <= kValueBytesMax) return words;
    faults_.add(fmt::format("{}.{}", path, key),
                fmt::format("a string of 1 to {} bytes", kValueBytesMax));
    return nullptr;
  }

  std::string prefix(const Node& operand, const std::string& path, const std::string& context) {
    if (operand_of(operand, path, {"field", "value"}) == nullptr) return {};
    const Field* field = field_of(operand, path, "prefix", context);
    const std::string* value = words_of(operand, path, "value");
    if (field == nullptr || value == nullptr) return {};
    return wrap(
        *field, context,
        fmt::format(R"({{"prefix":{{{}:{{"value":{}}}}}}})", quoted(field->path), quoted(*value)));
  }

  std::string text(const Node& operand, const std::string& path, const std::string& context) {
    if (operand_of(operand, path, {"field", "query"}) == nullptr) return {};
    const Field* field = field_of(operand, path, "text", context);
    const std::string* words = words_of(operand, path, "query");
    if (field == nullptr || words == nullptr) return {};
    return wrap(*field, context,
                fmt::format(R"({{"match":{{{}:{{"query":{},"operator":"and"}}}}}})",
                            quoted(field->path), quoted(*words)));
  }

  std::string nested(const Node& operand, const std::string& path, const std::string& context,
                     int depth) {
    if (operand_of(operand, path, {"path", "filter"}) == nullptr) return {};
    const Node* member = operand.find("path");
    const std::string* name = member == nullptr ? nullptr : member->string();
    // It need not be allowed itself: what is asked of its elements must be.
    const Field* field = name == nullptr ? nullptr : catalog_.find_declared(*name);
    const bool fits = field != nullptr && field->kind == FieldKind::kNested && field->filterable &&
                      catalog_.shows(field->path) &&
                      (context.empty() || field->path.starts_with(context + "."));
    if (!fits) faults_.add(path + ".path", "the name of a field of type nested");
    const Node* inner = operand.find("filter");
    if (inner == nullptr) faults_.add(path + ".filter", "a filter for the elements");
    if (!fits || inner == nullptr) return {};
    return fmt::format(R"({{"nested":{{"path":{},"query":{}}}}})", quoted(field->path),
                       filter(*inner, path + ".filter", field->path, depth + 1));
  }

  // The relation that the operand names, if it can be gone from here.
  const Relation* relation_of(const Node& operand, const std::string& path,
                              const std::string& context) {
    const std::string at = path + ".relation";
    if (related_ == nullptr || !context.empty()) {
      faults_.add(path, "no `related` within `nested` or within another `related`");
      return nullptr;
    }
    const Node* member = operand.find("relation");
    const std::string* name = member == nullptr ? nullptr : member->string();
    const auto found = name == nullptr ? relations_->end()
                                       : std::ranges::find(*relations_, *name, &Relation::name);
    if (found == relations_->end()) {
      std::vector<std::string> known;
      for (const Relation& relation : *relations_) known.push_back(relation.name);
      faults_.add(at, known.empty() ? "no `related`: spec.query.relations declares nothing"
                                    : fmt::format("a relation: {}", fmt::join(known, ", ")));
    } else if (!found->problem.empty()) {
      faults_.refuse(at, found->problem);
    } else if (related_->size() >= kRelatedMax) {
      faults_.add(path, fmt::format("at most {} `related` in all", kRelatedMax));
    } else {
      return &*found;
    }
    return nullptr;
  }

  std::string related(const Node& operand, const std::string& path, const std::string& context,
                      int depth) {
    if (operand_of(operand, path, {"relation", "filter"}) == nullptr) return {};
    const Relation* relation = relation_of(operand, path, context);
    if (relation == nullptr) return {};
    std::string all = relation->fixed;
    if (const Node* filter = operand.find("filter")) {
      Translator inner(relation->catalog, faults_);
      inner.nodes_ = nodes_;
      if (!all.empty()) all += ',';
      all += inner.filter(*filter, path + ".filter", "", depth + 1);
      nodes_ = inner.nodes_;
    }
    related_->push_back({.path = path,
                         .name = relation->name,
                         .index = relation->index,
                         .from = relation->from,
                         .to = relation->to,
                         .query = all.empty()
                                      ? R"({"match_all":{}})"
                                      : fmt::format(R"({{"bool":{{"filter":[{}]}}}})", all)});
    return related_marker(related_->size() - 1);
  }

  const FieldCatalog& catalog_;
  Faults& faults_;
  const std::vector<Relation>* relations_ = nullptr;
  std::vector<RelatedQuery>* related_ = nullptr;  // null: none may be here
  int nodes_ = 0;
};

}  // namespace

std::string translate_filter(const Node& filter, std::string_view path, const FieldCatalog& catalog,
                             Faults& faults) {
  return Translator(catalog, faults).filter(filter, std::string(path), "", 1);
}

std::string translate_filter(const Node& filter, std::string_view path, const Rules& rules,
                             std::vector<RelatedQuery>& related, Faults& faults) {
  return Translator(rules, related, faults).filter(filter, std::string(path), "", 1);
}

}  // namespace searchsync::query
