#include "operator/plan/actions.h"

#include <fmt/core.h>

#include "lib/model/pipeline.h"

namespace searchsync::plan {
namespace {

struct Describe {
  std::string operator()(const UpdateNotes&) const { return "update notes"; }
  std::string operator()(const ForgetNotes&) const { return "forget notes"; }
  std::string operator()(const CreateTopic& action) const {
    return fmt::format("create topic {} ({} partitions)", action.topic, action.partitions);
  }
  std::string operator()(const DeleteTopic& action) const { return "delete topic " + action.topic; }
  std::string operator()(const DeleteGroup& action) const {
    return "delete consumer group " + action.group;
  }
  std::string operator()(const CreateIndex& action) const {
    return fmt::format("create index {} (generation {})", action.recipe.generation_index.get(),
                       action.recipe.generation.get());
  }
  std::string operator()(const UpdateSettings& action) const {
    return fmt::format("set {} on index {}", describe(action.settings), action.index.get());
  }
  std::string operator()(const CreatePartitions& action) const {
    const auto& recipe = action.recipe;
    const auto every = recipe.index.spec.partitioning->every;
    std::string periods = model::period_name(every, action.periods.front());
    if (action.periods.size() > 1) {
      periods += " to " + model::period_name(every, action.periods.back());
    }
    return fmt::format("create partitions {} of index {}", periods, recipe.generation_index.get());
  }
  std::string operator()(const SetPartitions& action) const {
    return fmt::format("set {} on {} partitions of index {}", describe(action.settings),
                       action.partitions.size(), action.generation.get());
  }
  std::string operator()(const ShowPartitions& action) const {
    return fmt::format("add partitions of index {} to alias {}", action.index.get(), action.alias);
  }
  std::string operator()(const DropPartitions& action) const {
    const auto& first = action.partitions.front().get();
    return action.partitions.size() == 1
               ? "drop partition " + first
               : fmt::format("drop {} partitions, {} to {}", action.partitions.size(), first,
                             action.partitions.back().get());
  }
  std::string operator()(const AddFields& action) const {
    return fmt::format("add the fields of recipe {} to index {}", action.content,
                       action.generation.get());
  }
  std::string operator()(const WriteMeta& action) const {
    return fmt::format("write _meta of index {} again", action.recipe.generation_index.get());
  }
  std::string operator()(const PutWriteAlias& action) const {
    return fmt::format("put the write alias of index {} back", action.index.get());
  }
  std::string operator()(const SendLead& action) const {
    return fmt::format("hand the lead of {} to generation {}", action.document_log,
                       action.generation.get());
  }
  std::string operator()(const SendBegin& action) const {
    return fmt::format("have generation {} write the documents of {}", action.generation.get(),
                       action.index.get());
  }
  std::string operator()(const SwapAlias& action) const {
    return action.from.empty() ? fmt::format("put alias {} on {}", action.alias, action.to.get())
                               : fmt::format("move alias {} from {} to {}", action.alias,
                                             names(action.from), action.to.get());
  }
  std::string operator()(const DeleteIndex& action) const {
    return "delete index " + action.index.get();
  }
  std::string operator()(const EnsureWorkload& action) const {
    return fmt::format("run {} ({} of {})", action.workload.name, action.workload.replicas,
                       to_string(action.workload.role));
  }
  std::string operator()(const RemoveWorkload& action) const { return "stop " + action.name; }
  std::string operator()(const DropSlot& action) const {
    return "drop the replication slot of " + action.capture;
  }
};

}  // namespace

std::string names(const std::vector<IndexName>& indices) {
  std::string text;
  for (const auto& index : indices) text += (text.empty() ? "" : ", ") + index.get();
  return text;
}

std::string describe(const IndexSettings& settings) {
  const auto interval = settings.refresh_interval;
  const auto refresh = interval == kNeverRefreshed
                           ? "no refresh"
                           : fmt::format("a refresh every {} ms", interval.count());
  if (settings.gc_deletes == model::kGcDeletes) {
    return fmt::format("{} replicas and {}", settings.replicas, refresh);
  }
  return fmt::format("{} replicas, {} and gc_deletes of {} ms", settings.replicas, refresh,
                     settings.gc_deletes.count());
}

std::string describe(const Action& action) {
  return std::visit(Describe{}, action);
}

bool changes_world(const Action& action) {
  return !std::holds_alternative<UpdateNotes>(action) &&
         !std::holds_alternative<ForgetNotes>(action);
}

}  // namespace searchsync::plan
