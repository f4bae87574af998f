#include "operator/plan/drift.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <vector>

#include "lib/model/pipeline.h"
#include "operator/plan/partitions.h"

namespace searchsync::plan {
namespace {

class Finder {
 public:
  explicit Finder(const IndexView& view) : view_(view) {}

  // The reason is that of the worst.
  Drift find() {
    if (alias_moved(view_)) add("AliasChanged", alias());
    for (const auto& one : view_.seen.generations) {
      if (!one.marked) add("MappingsChanged", unmarked(one));
      if (!one.writable) add("WriteAliasChanged", not_writable(one));
    }
    if (view_.incumbent != nullptr) find(*view_.incumbent);
    if (view_.target != nullptr && view_.target != view_.incumbent) find(*view_.target);
    return {std::move(reason_), fmt::format("{}", fmt::join(messages_, "; "))};
  }

 private:
  void find(const ObservedGeneration& generation) {
    const auto& name = generation.index.get();
    if (generation.closed) add("IndexClosed", closed(generation.index));
    for (const auto& one : generation.partitions) {
      if (one.closed) add("IndexClosed", closed(one.index));
    }
    if (!generation.differences.empty()) {
      add("MappingsChanged", fmt::format("index {}: {}: only a new index puts that right: raise "
                                         "spec.reindex.revision to have it built beside this one",
                                         name, fmt::join(generation.differences, ", ")));
    }
    if (auto text = settings(generation); !text.empty()) add("SettingsChanged", std::move(text));
  }

  void add(const char* reason, std::string message) {
    if (reason_.empty()) reason_ = reason;
    messages_.push_back(std::move(message));
  }

  std::string remedy(const std::string& corrected, const std::string& otherwise) const {
    if (view_.spec.drift == model::Drift::kReport) {
      return fmt::format("{}, or set spec.drift to Correct", otherwise);
    }
    return view_.spec.suspend ? "it stays while spec.suspend is set" : corrected;
  }

  // What it was built from is only known if that is declared.
  std::string unmarked(const ObservedGeneration& generation) const {
    return fmt::format(
        "index {}: its mappings._meta does not say any more what it was built from: "
        "{}",
        generation.index.get(),
        view_.is_target(generation) ? remedy("it is written again", "put it back")
                                    : "put it back, or delete the index");
  }

  std::string not_writable(const ObservedGeneration& generation) const {
    return fmt::format(
        "index {0}: its alias {0}.Write, by which workers write, is gone or was "
        "changed: {1}",
        generation.index.get(), remedy("it is put back", "put it back"));
  }

  std::string alias() const {
    const auto& name = view_.spec.index_name;
    const auto& last = view_.incumbent->index.get();
    if (view_.seen.alias_fault) return *view_.seen.alias_fault;
    if (view_.is_serving(*view_.incumbent)) {
      return fmt::format("alias {} leads to a part of {} only, by a filter or a routing: {}", name,
                         last, remedy("it is put right", "take that away"));
    }
    const auto& alias = view_.seen.alias;
    const auto where = alias.empty() ? "nowhere" : "to " + names(alias);
    return fmt::format("alias {} leads {}, not to {}, where it was: {}", name, where, last,
                       remedy("it is put back; to serve another index set spec.reindex.serve",
                              "put it back, set spec.reindex.serve to the index to be served"));
  }

  std::string settings(const ObservedGeneration& generation) const {
    const auto* note = view_.note(generation);
    if (note == nullptr) return "";
    const auto wanted = wanted_settings(view_, *note);
    const auto altered = altered_partitions(generation, wanted);
    const bool own = generation.settings != wanted;
    if ((!own && altered.empty()) || !set_by_others(*note, wanted)) return "";
    const auto& index = own ? generation.index : altered.front()->index;
    const auto& its = own ? generation.settings : altered.front()->settings;
    return fmt::format("index {} has {}, not {}: {}", index.get(), describe(its), describe(wanted),
                       remedy("that is put right", "set them back, or declare them"));
  }

  const IndexView& view_;
  std::string reason_;
  std::vector<std::string> messages_;
};

}  // namespace

bool alias_moved(const IndexView& view) {
  return view.incumbent != nullptr &&
         (!view.is_serving(*view.incumbent) || view.incumbent->narrowed);
}

IndexSettings wanted_settings(const IndexView& view, const GenerationNote& note) {
  return {.replicas = view.spec.replicas,
          .refresh_interval = note.complete ? view.spec.refresh_interval : kNeverRefreshed,
          .gc_deletes = model::kGcDeletes};
}

bool set_by_others(const GenerationNote& note, const IndexSettings& wanted) {
  return note.settings == wanted;
}

std::string closed(const IndexName& index) {
  return fmt::format("index {0} is closed, so that nobody can read or write it: POST /{0}/_open",
                     index.get());
}

Drift find_drift(const IndexView& view) {
  return Finder(view).find();
}

std::vector<Step> put_right(const IndexView& view) {
  std::vector<Step> steps;
  if (view.spec.drift == model::Drift::kReport) return steps;
  if (view.target != nullptr && !view.target->marked) {
    auto recipe = view.declared_config(view.target->generation);
    const auto* note = view.note(*view.target);
    recipe.renewed = note != nullptr && !note->content.empty();
    steps.push_back({view.key, WriteMeta{std::move(recipe)},
                     "others have changed it, and by it everybody knows what the index is",
                     "it is known by its name, its write alias and the notes"});
  }
  for (const auto& one : view.seen.generations) {
    if (one.writable || one.closed) continue;
    steps.push_back({view.key, PutWriteAlias{one.index},
                     "others have changed it, and its workers write by nothing else",
                     "the index is ours"});
  }
  return steps;
}

}  // namespace searchsync::plan
