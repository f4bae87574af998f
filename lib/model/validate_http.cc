#include "lib/model/validate_http.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

namespace searchsync::model {
namespace {

// The path with all parameters alike, and the parameters.
struct Shape {
  std::string text;
  std::vector<std::string_view> parameters;
};

Shape shape_of(std::string_view path) {
  Shape shape;
  while (!path.empty()) {
    const size_t open = std::min(path.find('{'), path.size());
    shape.text += path.substr(0, open);
    path.remove_prefix(open);
    if (path.empty()) break;
    const size_t close = std::min(path.find('}'), path.size() - 1);
    shape.parameters.push_back(path.substr(1, close - 1));
    shape.text += "{}";
    path.remove_prefix(close + 1);
  }
  return shape;
}

class Validator {
 public:
  Validator(const Resources& resources, const Origins& origins)
      : resources_(resources), origins_(origins) {}

  std::vector<Fault> run() {
    for (const SourceBinding& binding : resources_.bindings) {
      const auto* http = std::get_if<HttpSource>(&binding.spec.source);
      if (http == nullptr) continue;
      check_paths(binding, *http);
      check_topic(binding, *http);
      // Where events are aggregated the rows have other columns; see validate_aggregate.h.
      if (binding.spec.aggregate) continue;
      check_relation(binding, *http);
      check_fields(binding, *http);
    }
    return std::move(faults_);
  }

 private:
  void fault(const SourceBinding& binding, std::string path, std::string message) {
    faults_.push_back(origins_.fault(object_name(binding), std::move(path), std::move(message)));
  }

  void check_paths(const SourceBinding& binding, const HttpSource& http) {
    for (size_t i = 0; i < http.paths.size(); ++i) {
      const std::string at = fmt::format("spec.source.http.paths[{}]", i);
      const Shape shape = shape_of(http.paths[i]);
      std::set<std::string_view> seen;
      for (const std::string_view parameter : shape.parameters) {
        if (!seen.insert(parameter).second) {
          fault(binding, at, fmt::format("has {{{}}} twice: a column has one value", parameter));
        }
        check_parameter(binding, http, parameter, at);
      }
      const auto [first, fresh] = paths_.try_emplace(
          {binding.metadata.namespace_, binding.spec.index_ref, shape.text}, &binding);
      if (fresh) continue;
      fault(binding, at,
            fmt::format("cannot be told from a path of {}: choose another",
                        first->second == &binding ? "this binding" : object_name(*first->second)));
    }
  }

  void check_parameter(const SourceBinding& binding, const HttpSource& http,
                       std::string_view parameter, const std::string& at) {
    check_column(binding, http, std::string(parameter), at);
    for (const EventColumn& column : http.columns) {
      if (column.name != parameter || column.type != ColumnType::kJson) continue;
      fault(binding, at,
            fmt::format("`{}` is of type Json, which a path cannot hold: choose another column",
                        parameter));
    }
  }

  // By the Kafka that it is in.
  void check_topic(const SourceBinding& binding, const HttpSource& http) {
    std::vector<std::string> servers;
    for (const SearchIndex& index : resources_.indices) {
      if (index.metadata.namespace_ == binding.metadata.namespace_ &&
          index.metadata.name == binding.spec.index_ref) {
        servers = index.spec.kafka.bootstrap_servers;
      }
    }
    const auto [first, fresh] = topics_.try_emplace({servers, http.topic.name}, &binding);
    if (fresh) return;
    fault(binding, "spec.source.http.topic.name",
          fmt::format("{} keeps its events in topic {}: choose another, or read that one as a "
                      "`kafka` source of format Json",
                      object_name(*first->second), http.topic.name));
  }

  void check_relation(const SourceBinding& binding, const HttpSource& http) {
    if (const auto* children = std::get_if<ChildrenRelation>(&binding.spec.relation)) {
      check_columns(binding, http, children->from, "spec.relation.children.from");
      for (size_t i = 0; i < children->order_by.size(); ++i) {
        check_column(binding, http, children->order_by[i].column,
                     fmt::format("spec.relation.children.orderBy[{}].column", i));
      }
    } else if (const auto* link = std::get_if<LinkRelation>(&binding.spec.relation)) {
      check_columns(binding, http, link->near, "spec.relation.link.near");
      check_columns(binding, http, link->far, "spec.relation.link.far");
    }
  }

  void check_fields(const SourceBinding& binding, const HttpSource& http) {
    const bool link = std::holds_alternative<LinkRelation>(binding.spec.relation);
    for (size_t i = 0; i < binding.spec.fields.size(); ++i) {
      const std::string& from = binding.spec.fields[i].from;
      if (link && from.starts_with("far.")) continue;
      check_column(binding, http, from, fmt::format("spec.fields[{}].from", i));
    }
  }

  void check_columns(const SourceBinding& binding, const HttpSource& http,
                     const std::vector<std::string>& names, const std::string& path) {
    for (size_t i = 0; i < names.size(); ++i) {
      check_column(binding, http, names[i], fmt::format("{}[{}]", path, i));
    }
  }

  void check_column(const SourceBinding& binding, const HttpSource& http, const std::string& name,
                    std::string path) {
    std::vector<std::string> known;
    for (const EventColumn& column : http.columns) known.push_back(column.name);
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    std::string hint = did_you_mean(name, known);
    if (hint.empty()) hint = fmt::format("; known are: {}", fmt::join(known, ", "));
    fault(binding, std::move(path),
          fmt::format("spec.source.http.columns has no `{}`{}", name, hint));
  }

  const Resources& resources_;
  const Origins& origins_;
  std::map<std::tuple<std::string, std::string, std::string>, const SourceBinding*> paths_;
  std::map<std::pair<std::vector<std::string>, std::string>, const SourceBinding*> topics_;
  std::vector<Fault> faults_;
};

}  // namespace

std::vector<Fault> validate_http(const Resources& resources, const Origins& origins) {
  return Validator(resources, origins).run();
}

}  // namespace searchsync::model
