#include "operator/plan/actions.h"

#include <fmt/core.h>

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
    return fmt::format("set {} replicas and {} on index {}", action.replicas,
                       describe_refresh(action.refresh_interval), action.index.get());
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
    return action.from ? fmt::format("move alias {} from {} to {}", action.alias,
                                     action.from->get(), action.to.get())
                       : fmt::format("put alias {} on {}", action.alias, action.to.get());
  }
  std::string operator()(const DeleteIndex& action) const {
    return "delete index " + action.index.get();
  }
  std::string operator()(const EnsureWorkload& action) const {
    return fmt::format("run {} ({} of {})", action.workload.name, action.workload.replicas,
                       to_string(action.workload.role));
  }
  std::string operator()(const RemoveWorkload& action) const { return "stop " + action.name; }
};

}  // namespace

std::string describe_refresh(std::chrono::milliseconds interval) {
  return interval == kNeverRefreshed ? "no refresh"
                                     : fmt::format("a refresh every {} ms", interval.count());
}

std::string describe(const Action& action) {
  return std::visit(Describe{}, action);
}

bool changes_world(const Action& action) {
  return !std::holds_alternative<UpdateNotes>(action) &&
         !std::holds_alternative<ForgetNotes>(action);
}

}  // namespace searchsync::plan
