#include "lib/model/validate_aggregate.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace searchsync::model {
namespace {

class Validator {
 public:
  Validator(const Resources& resources, const Origins& origins)
      : resources_(resources), origins_(origins) {}

  std::vector<Fault> run() {
    for (const SourceBinding& binding : resources_.bindings) {
      if (binding.spec.aggregate) check(binding, *binding.spec.aggregate);
    }
    return std::move(faults_);
  }

 private:
  void fault(const SourceBinding& binding, std::string path, std::string message) {
    faults_.push_back(origins_.fault(object_name(binding), std::move(path), std::move(message)));
  }

  void check(const SourceBinding& binding, const AggregateSpec& aggregate) {
    check_names(binding, aggregate);
    check_events(binding, aggregate);
    check_rules(binding, aggregate);
    check_rows(binding, aggregate);
  }

  // A column of the row is of the key, computed, or derived.
  void check_names(const SourceBinding& binding, const AggregateSpec& aggregate) {
    std::vector<std::string> taken = binding.spec.key;
    const auto take = [&](const std::string& name, std::string path) {
      if (std::find(taken.begin(), taken.end(), name) != taken.end()) {
        fault(binding, std::move(path),
              fmt::format("`{}` is the name of another column of the row: choose another", name));
      }
      taken.push_back(name);
    };
    for (size_t i = 0; i < aggregate.columns.size(); ++i) {
      take(aggregate.columns[i].name, fmt::format("spec.aggregate.columns[{}].name", i));
    }
    for (size_t i = 0; i < aggregate.derived.size(); ++i) {
      take(aggregate.derived[i].name, fmt::format("spec.aggregate.derived[{}].name", i));
    }
  }

  // Of a foreign topic nobody knows the columns.
  void check_events(const SourceBinding& binding, const AggregateSpec& aggregate) {
    const auto* http = std::get_if<HttpSource>(&binding.spec.source);
    if (http == nullptr) return;
    std::vector<std::string> known;
    for (const EventColumn& column : http->columns) known.push_back(column.name);
    const auto check = [&](const std::string& name, std::string path) {
      check_known(binding, name, known, "spec.source.http.columns has", std::move(path));
    };
    for (size_t i = 0; i < aggregate.columns.size(); ++i) {
      const AggregateColumn& column = aggregate.columns[i];
      const std::string at = fmt::format("spec.aggregate.columns[{}]", i);
      if (column.column) check(*column.column, at + ".column");
      if (column.by) check(*column.by, at + ".by");
      for (size_t w = 0; w < column.where.size(); ++w) {
        check(column.where[w].column, fmt::format("{}.where[{}].column", at, w));
      }
    }
    if (!aggregate.dedupe) return;
    check(aggregate.dedupe->by, "spec.aggregate.dedupe.by");
    const auto& retention = http->topic.retention;
    if (retention && *retention < aggregate.dedupe->window) {
      fault(binding, "spec.source.http.topic.retention",
            "is shorter than spec.aggregate.dedupe.window: whoever takes over a partition finds "
            "the ids in its events again, so they have to be kept for as long");
    }
  }

  void check_rules(const SourceBinding& binding, const AggregateSpec& aggregate) {
    std::vector<std::string> known;
    for (const AggregateColumn& column : aggregate.columns) {
      using enum AggregateFunction;
      if (column.compute == kCount || column.compute == kSum) known.push_back(column.name);
    }
    for (size_t d = 0; d < aggregate.derived.size(); ++d) {
      for (size_t r = 0; r < aggregate.derived[d].rules.size(); ++r) {
        const auto& when = aggregate.derived[d].rules[r].when;
        for (size_t w = 0; w < when.size(); ++w) {
          check_known(binding, when[w].column, known, "Count and Sum have",
                      fmt::format("spec.aggregate.derived[{}].rules[{}].when[{}].column", d, r, w));
        }
      }
    }
  }

  void check_rows(const SourceBinding& binding, const AggregateSpec& aggregate) {
    std::vector<std::string> known = binding.spec.key;
    for (const AggregateColumn& column : aggregate.columns) known.push_back(column.name);
    for (const DerivedColumn& column : aggregate.derived) known.push_back(column.name);
    const auto check = [&](const std::string& name, std::string path) {
      check_known(binding, name, known, "the row has", std::move(path));
    };
    const auto check_all = [&](const std::vector<std::string>& names, const std::string& path) {
      for (size_t i = 0; i < names.size(); ++i) check(names[i], fmt::format("{}[{}]", path, i));
    };
    bool link = false;
    if (const auto* children = std::get_if<ChildrenRelation>(&binding.spec.relation)) {
      check_all(children->from, "spec.relation.children.from");
      for (size_t i = 0; i < children->order_by.size(); ++i) {
        check(children->order_by[i].column,
              fmt::format("spec.relation.children.orderBy[{}].column", i));
      }
    } else if (const auto* links = std::get_if<LinkRelation>(&binding.spec.relation)) {
      link = true;
      check_all(links->near, "spec.relation.link.near");
      check_all(links->far, "spec.relation.link.far");
    }
    for (size_t i = 0; i < binding.spec.fields.size(); ++i) {
      const std::string& from = binding.spec.fields[i].from;
      if (link && from.starts_with("far.")) continue;
      check(from, fmt::format("spec.fields[{}].from", i));
    }
  }

  void check_known(const SourceBinding& binding, const std::string& name,
                   const std::vector<std::string>& known, std::string_view who, std::string path) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    std::string hint = did_you_mean(name, known);
    if (hint.empty() && !known.empty())
      hint = fmt::format("; known are: {}", fmt::join(known, ", "));
    fault(binding, std::move(path), fmt::format("{} no `{}`{}", who, name, hint));
  }

  const Resources& resources_;
  const Origins& origins_;
  std::vector<Fault> faults_;
};

}  // namespace

std::vector<Fault> validate_aggregates(const Resources& resources, const Origins& origins) {
  return Validator(resources, origins).run();
}

}  // namespace searchsync::model
