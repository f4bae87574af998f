#include "operator/cluster/changes.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "lib/model/origins.h"
#include "lib/model/pipeline.h"
#include "lib/model/resource_schema.h"
#include "operator/plan/differences.h"
#include "operator/plan/renew.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;

constexpr size_t kValueMax = 160;

std::string value_text(const json& value) {
  auto text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() <= kValueMax) return text;
  size_t end = kValueMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "…";
}

// A line for each part that differs.
void compare(const std::string& path, const json& before, const json& now, std::string& out) {
  if (before == now) return;
  if (before.is_object() && now.is_object()) {
    std::set<std::string> names;
    for (const auto& [name, value] : before.items()) names.insert(name);
    for (const auto& [name, value] : now.items()) names.insert(name);
    for (const auto& name : names) {
      compare(path + "." + name, before.value(name, json()), now.value(name, json()), out);
    }
    return;
  }
  if (before.is_array() && now.is_array()) {
    const auto has = [](const json& list, const json& one) {
      return std::ranges::find(list, one) != list.end();
    };
    const auto length = out.size();
    for (const auto& one : before) {
      if (!has(now, one)) out += fmt::format("  - {}: {}\n", path, value_text(one));
    }
    for (const auto& one : now) {
      if (!has(before, one)) out += fmt::format("  + {}: {}\n", path, value_text(one));
    }
    if (out.size() == length) out += fmt::format("  ~ {}: in another order\n", path);
    return;
  }
  if (before.is_null()) {
    out += fmt::format("  + {}: {}\n", path, value_text(now));
  } else if (now.is_null()) {
    out += fmt::format("  - {}: {}\n", path, value_text(before));
  } else {
    out += fmt::format("  ~ {}: {} -> {}\n", path, value_text(before), value_text(now));
  }
}

template <class Resource>
const Resource* find(const std::vector<Resource>& all, const model::ObjectMeta& metadata) {
  const auto found = std::ranges::find(all, metadata, &Resource::metadata);
  return found == all.end() ? nullptr : &*found;
}

template <class Resource>
std::string describe(const Resource& declared, const Resource* live) {
  const auto name = model::object_name(declared);
  if (live == nullptr) return fmt::format("{}: is created\n", name);
  std::string lines;
  compare("spec", json::parse(model::to_json(*live)).at("spec"),
          json::parse(model::to_json(declared)).at("spec"), lines);
  return lines.empty() ? fmt::format("{}: no change\n", name)
                       : fmt::format("{}: changes\n{}", name, lines);
}

template <class Resource>
void replace(std::vector<Resource>& all, const std::vector<Resource>& declared) {
  for (const auto& one : declared) {
    const auto found = std::ranges::find(all, one.metadata, &Resource::metadata);
    if (found != all.end()) {
      *found = one;
    } else {
      all.push_back(one);
    }
  }
  std::ranges::sort(all, {}, [](const auto& one) {
    return std::tie(one.metadata.namespace_, one.metadata.name);
  });
}

// What becomes of one index.
class Consequence {
 public:
  Consequence(const ChangesInput& input, const model::Resources& after,
              const model::SearchIndex& index)
      : now_(index),
        bindings_(plan::bindings_of(after, index)),
        live_(find(input.live.indices, index.metadata)) {
    if (live_ != nullptr) live_bindings_ = plan::bindings_of(input.live, *live_);
    const auto found = input.standing.find(plan::object_key(index.metadata));
    if (found != input.standing.end()) standing_ = &found->second;
  }

  std::string describe() const {
    std::string text = model::object_name(now_) + ", then: ";
    if (bindings_.empty()) return text + "it waits for its bindings\n";
    if (now_.spec.tables) {
      return text +
             "each table of its database is kept in an index of its own; one whose mapping changes "
             "is built beside what readers read\n";
    }
    const auto name = name_of(now_, bindings_);
    if (live_ == nullptr || live_bindings_.empty()) {
      return text + fmt::format("{} is built; readers get it when it is complete\n", name.get());
    }
    if (*live_ == now_ && live_bindings_ == bindings_) return text + "nothing changes\n";
    if (const auto& serve = now_.spec.reindex.serve) return text + held(*serve);
    const auto live_name = name_of(*live_, live_bindings_);
    if (name.get() == (serving().empty() ? live_name.get() : serving())) {
      return text + "it changes in place, and nothing is rebuilt\n";
    }
    if (name == live_name && !live_->spec.reindex.serve) {
      return text + fmt::format("it changes in place; {} is being built already\n", name.get());
    }
    if (plan::in_place(now_.spec) && live_name.get() == serving() && !kept(name) &&
        why_not_renewed().empty()) {
      return text + fmt::format("partitions made from then on have other {}; {} is not rebuilt\n",
                                reasons(), serving());
    }
    return text + rebuild(name);
  }

 private:
  // One that has become what it is is called after what it was: so the notes say.
  IndexName name_of(const model::SearchIndex& index,
                    std::span<const model::SourceBinding> bindings) const {
    plan::ObservedIndex seen;
    if (standing_ != nullptr) seen.notes = standing_->notes;
    for (const auto& [name, _] : seen.notes.generations) {
      seen.generations.emplace_back().index = name;
    }
    return plan::declared_name(seen, index, bindings);
  }

  std::string why_not_renewed() const {
    return plan::why_not_renewed(live_recipe(), live_->spec.mappings.text, now_, bindings_);
  }

  model::PipelineConfig live_recipe() const {
    model::PipelineConfig recipe;
    recipe.index = *live_;
    recipe.bindings = live_bindings_;
    return recipe;
  }

  std::string serving() const { return standing_ == nullptr ? "" : standing_->serving; }

  std::string held(const std::string& serve) const {
    return serve == serving()
               ? fmt::format(
                     "readers stay on {}, and nothing is built while spec.reindex.serve says so\n",
                     serve)
               : fmt::format("{}, if it is kept warm, takes over from {}\n", serve, serving());
  }

  std::string rebuild(const IndexName& name) const {
    const auto& reindex = now_.spec.reindex;
    std::string text;
    if (kept(name)) {
      text = fmt::format("{}, which is kept, takes over from {}\n", name.get(), serving());
    } else {
      text = fmt::format("a reindex: {} is built beside {}\n  because of {}\n", name.get(),
                         serving().empty() ? "what there is" : serving(), reasons());
      text += model::document_log_name(now_, bindings_) ==
                      model::document_log_name(*live_, live_bindings_)
                  ? "  from the document log that there is\n"
                  : "  from its sources, which are all read again, into another document log\n";
    }
    if (now_.spec.suspend) text += "  but not before spec.suspend is taken away\n";
    if (served(name)) return text;
    if (!reindex.checks.empty()) {
      text += fmt::format("  checked first by spec.reindex.checks: {}\n", reindex.checks.size());
    }
    if (reindex.approval == model::Approval::kManual && reindex.approved != name.get()) {
      text += fmt::format("  readers get it once it is approved: kubectl searchsync approve {}\n",
                          now_.metadata.name);
    }
    return text;
  }

  std::string reasons() const {
    auto found = plan::differences(live_recipe(), now_, bindings_);
    if (!found.empty() && plan::in_place(now_.spec) && !why_not_renewed().empty()) {
      found += fmt::format(" ({})", why_not_renewed());
    }
    if (!found.empty()) return found;
    return live_->spec.reindex.revision == now_.spec.reindex.revision ? "what was declared before"
                                                                      : "spec.reindex.revision";
  }

  const plan::GenerationNote* note(const IndexName& name) const {
    if (standing_ == nullptr) return nullptr;
    const auto found = standing_->notes.generations.find(name);
    return found == standing_->notes.generations.end() ? nullptr : &found->second;
  }
  bool kept(const IndexName& name) const { return note(name) != nullptr && note(name)->complete; }
  // Whoever served once needs no approval, and no check.
  bool served(const IndexName& name) const { return note(name) != nullptr && note(name)->served; }

  const model::SearchIndex& now_;
  const std::vector<model::SourceBinding> bindings_;
  const model::SearchIndex* live_;
  std::vector<model::SourceBinding> live_bindings_;
  const Standing* standing_ = nullptr;
};

}  // namespace

model::Resources applied(const model::Resources& live, const model::Resources& declared) {
  model::Resources after = live;
  replace(after.indices, declared.indices);
  replace(after.bindings, declared.bindings);
  return after;
}

std::string render_changes(const ChangesInput& input) {
  std::string text;
  std::set<plan::ObjectKey> concerned;
  for (const auto& index : input.declared.indices) {
    text += describe(index, find(input.live.indices, index.metadata));
    concerned.insert(plan::object_key(index.metadata));
  }
  for (const auto& binding : input.declared.bindings) {
    const auto* live = find(input.live.bindings, binding.metadata);
    text += describe(binding, live);
    for (const auto* one : {&binding, live}) {
      if (one == nullptr) continue;
      concerned.insert(one->metadata.namespace_ + "/" + one->spec.index_ref);
    }
  }
  const auto after = applied(input.live, input.declared);
  text += "\n";
  for (const auto& index : after.indices) {
    if (!concerned.contains(plan::object_key(index.metadata))) continue;
    text += Consequence(input, after, index).describe();
  }
  return text;
}

}  // namespace searchsync::cluster
