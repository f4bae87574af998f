#include "operator/plan/renew.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>

#include "lib/base/hash.h"
#include "lib/elastic/mixable.h"
#include "lib/model/pipeline.h"
#include "operator/plan/differences.h"
#include "operator/plan/index_view.h"
#include "operator/plan/partitions.h"

namespace searchsync::plan {
namespace {

// Of 1970: long past any retention.
constexpr model::Period kTried{0};

// By its recipe; where that is gone, by the notes, or by its name.
bool is_made_of(const IndexNotes& notes, const ObservedGeneration& generation,
                const std::string& content, const IndexName& name) {
  if (generation.recipe) return content_of(*generation.recipe) == content;
  const auto note = notes.generations.find(generation.index);
  const bool noted = note != notes.generations.end() && !note->second.content.empty();
  return noted ? note->second.content == content : generation.index == name;
}

using Fields = std::map<std::pair<std::string, std::string>, const model::FieldMapping*>;

// By binding and field of the document.
Fields fields_of(std::span<const model::SourceBinding> bindings) {
  Fields fields;
  for (const auto& binding : bindings) {
    for (const auto& field : binding.spec.fields) {
      fields[{binding.metadata.name, field.to}] = &field;
    }
  }
  return fields;
}

// Under one name there has to be one thing.
std::string fields_conflict(std::span<const model::SourceBinding> before,
                            std::span<const model::SourceBinding> now) {
  const auto known = fields_of(before);
  for (const auto& [place, field] : fields_of(now)) {
    const auto found = known.find(place);
    if (found == known.end() || *found->second == *field) continue;
    return fmt::format("field {} is filled in another way", field->to);
  }
  return "";
}

std::string settings_of(const model::SearchIndex& index) {
  return index.spec.settings ? index.spec.settings->text : "";
}

class Renewal {
 public:
  explicit Renewal(const IndexView& view) : view_(view), target_(*view.target) {}

  std::vector<Step> run() {
    recipe_ = view_.declared_config(target_.generation);
    recipe_.renewed = true;
    limit_retention(target_.recipe->index.spec.partitioning, recipe_.index.spec.partitioning);
    if (!target_.recipe->renewed) {
      auto former = *target_.recipe;
      former.renewed = true;
      add(WriteMeta{std::move(former)}, "it is about to have more than this recipe says");
    }
    add(addition(view_, target_), "documents that have them are about to come");
    if (settings_of(recipe_.index) != settings_of(target_.recipe->index)) try_settings();
    add(WriteMeta{recipe_},
        fmt::format("partitions from now on are made of it: {}",
                    differences(*target_.recipe, view_.in.index, view_.in.bindings)));
    return std::move(steps_);
  }

  // To the index's own, and to all partitions that are written to: the others go.
  static AddFields addition(const IndexView& view, const ObservedGeneration& to) {
    const auto& spec = *to.recipe->index.spec.partitioning;
    const auto oldest = model::window_at(spec.every, spec.retain, spec.ahead, now_ms(view)).oldest;
    AddFields add{.generation = to.index,
                  .content = model::generation_hash(view.in.index, view.in.bindings),
                  .indices = {to.index},
                  .mappings = view.spec.mappings.text};
    for (const auto& one : to.partitions) {
      if (one.period >= oldest) add.indices.push_back(one.index);
    }
    return add;
  }

 private:
  static int64_t now_ms(const IndexView& view) { return view.in.now.time_since_epoch().count(); }

  void add(Action action, std::string reason) {
    steps_.push_back({view_.key, std::move(action), std::move(reason), "it can be mixed"});
  }

  // Whether the engine takes them is seen by a partition that is too old to be written to, whatever
  // the time: all others are still made of the former ones.
  void try_settings() {
    const auto every = recipe_.index.spec.partitioning->every;
    const DropPartitions drop{.generation = target_.index,
                              .partitions = {partition_name(target_.index, every, kTried)}};
    const bool left = std::ranges::find(target_.partitions, kTried, &ObservedPartition::period) !=
                      target_.partitions.end();
    if (left) add(drop, "it is made again of other settings");
    add(CreatePartitions{.recipe = recipe_, .periods = {kTried}},
        "it shows whether the engine takes the settings");
    add(drop, "the engine takes the settings");
  }

  const IndexView& view_;
  const ObservedGeneration& target_;
  model::PipelineConfig recipe_;
  std::vector<Step> steps_;
};

}  // namespace

bool in_place(const model::SearchIndexSpec& spec) {
  return spec.partitioning &&
         spec.partitioning->on_mapping_change == model::OnMappingChange::kNewPartitions;
}

std::string content_of(const model::PipelineConfig& recipe) {
  return model::generation_hash(recipe.index, recipe.bindings);
}

const ObservedGeneration* find_made(const ObservedIndex& seen, const model::SearchIndex& index,
                                    std::span<const model::SourceBinding> bindings) {
  const auto content = model::generation_hash(index, bindings);
  const auto name = model::generation_index_name(index, bindings);
  const auto found = std::ranges::find_if(seen.generations, [&](const auto& one) {
    return is_made_of(seen.notes, one, content, name);
  });
  return found == seen.generations.end() ? nullptr : &*found;
}

IndexName declared_name(const ObservedIndex& seen, const model::SearchIndex& index,
                        std::span<const model::SourceBinding> bindings) {
  if (const auto* made = find_made(seen, index, bindings)) return made->index;
  auto name = model::generation_index_name(index, bindings);
  const auto content = model::generation_hash(index, bindings);
  const auto is_one_of = [](const std::vector<ObservedGeneration>& all, const IndexName& one) {
    return std::ranges::find(all, one, &ObservedGeneration::index) != all.end();
  };
  for (const auto& [noted, note] : seen.notes.generations) {
    const bool there = seen.engine_fault || is_one_of(seen.unmarked, noted);
    if (there && note.content == content) return noted;
  }
  while (is_one_of(seen.generations, name)) {
    name = IndexName(fmt::format("{}-{}", index.spec.index_name, stable_hash_hex(name.get(), 8)));
  }
  return name;
}

std::string why_not_renewed(const model::PipelineConfig& recipe, const std::string& found,
                            const model::SearchIndex& index,
                            std::span<const model::SourceBinding> bindings) {
  if (model::lasting_hash(recipe.index, recipe.bindings) != model::lasting_hash(index, bindings)) {
    return "more than mappings, settings and fields changes";
  }
  const auto& before = recipe.index.spec.mappings.text;
  const auto& now = index.spec.mappings.text;
  if (auto why = fields_conflict(recipe.bindings, bindings); !why.empty()) return why;
  if (auto why = elastic::settings_conflict(settings_of(recipe.index), settings_of(index));
      !why.empty()) {
    return why;
  }
  if (auto why = elastic::mappings_conflict(before, now); !why.empty()) return why;
  return elastic::new_fields(found, now).conflict;
}

std::string why_not_renewed(const IndexView& view, const ObservedGeneration& generation) {
  if (!generation.recipe || !generation.recipe->index.spec.partitioning) {
    return "what is served has no partitions, or it is not known what it was built from";
  }
  auto why =
      why_not_renewed(*generation.recipe, generation.mappings, view.in.index, view.in.bindings);
  const auto& failure = view.seen.failure;
  if (!why.empty() || !failure || failure->error.code != ErrorCode::kInvalidArgument ||
      failure->step != describe(Renewal::addition(view, generation))) {
    return why;
  }
  return "the engine does not add the fields: " + failure->error.message;
}

std::string why_rebuilt(const IndexView& view) {
  const bool other = view.incumbent != nullptr && view.target != view.incumbent;
  return other && in_place(view.spec) ? why_not_renewed(view, *view.incumbent) : "";
}

std::vector<Step> plan_renewal(const IndexView& view) {
  return view.renews ? Renewal(view).run() : std::vector<Step>{};
}

}  // namespace searchsync::plan
