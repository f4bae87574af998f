#include "operator/control/status_json.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/control/table.h"

namespace searchsync::control {
namespace {

using nlohmann::json;

template <class T>
json optional(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json write_processes(const plan::ObservedWorkload& workload) {
  json list = json::array();
  for (const auto& process : workload.processes) {
    list.push_back({{"name", process.name},
                    {"role", to_string(workload.role)},
                    {"pid", process.pid},
                    {"address", process.address},
                    {"state", to_string(process.state)},
                    {"message", process.message}});
  }
  return list;
}

json write_processes(const plan::Observed& observed) {
  json list = json::array();
  for (const auto& workload : observed.workloads) {
    for (auto& process : write_processes(workload)) list.push_back(std::move(process));
  }
  return list;
}

// Of all values the one with that name; the first if there is none.
template <class Value>
Value named(const json& name, std::initializer_list<Value> all) {
  const auto* const found = std::ranges::find_if(
      all, [&](Value value) { return to_string(value) == name.get<std::string_view>(); });
  return found == all.end() ? *all.begin() : *found;
}

plan::Role read_role(const json& name) {
  using enum plan::Role;
  return named(name, {kCapture, kWorker, kQuery, kIngest, kAggregate});
}

std::vector<plan::ObservedProcess> read_processes(const json& list) {
  using enum plan::ProcessState;
  std::vector<plan::ObservedProcess> processes;
  for (const auto& one : list) {
    processes.push_back({.name = one.at("name").get<std::string>(),
                         .pid = one.at("pid").get<int64_t>(),
                         .address = one.at("address").get<std::string>(),
                         .state = named(one.at("state"), {kStarting, kRunning, kReady, kBackoff}),
                         .message = one.at("message").get<std::string>()});
  }
  return processes;
}

json write_workloads(const plan::Observed& observed) {
  json list = json::array();
  for (const auto& workload : observed.workloads) {
    list.push_back({{"name", workload.name},
                    {"role", to_string(workload.role)},
                    {"owner", workload.owner},
                    {"hash", workload.hash},
                    {"replicas", workload.replicas},
                    {"processes", write_processes(workload)},
                    {"serves", workload.serves},
                    {"halts", workload.halts},
                    {"snapshotComplete", workload.snapshot_complete}});
  }
  return list;
}

json write_tables(const std::optional<plan::TablesStatus>& tables) {
  if (!tables) return {};
  return {{"kept", tables->kept}, {"ready", tables->ready}, {"refused", tables->refused}};
}

json write_index(const plan::IndexStatus& status) {
  json conditions = json::array();
  for (const auto& condition : status.conditions) {
    conditions.push_back({{"type", condition.type},
                          {"status", to_string(condition.status)},
                          {"reason", condition.reason},
                          {"message", condition.message}});
  }
  return {{"name", status.index.substr(status.index.find('/') + 1)},
          {"namespace", status.index.substr(0, status.index.find('/'))},
          {"generation", status.generation ? json(status.generation->get()) : json()},
          {"phase", to_string(status.phase)},
          {"alias", status.alias ? json(status.alias->get()) : json()},
          {"partitions", optional(status.partitions)},
          {"desired", status.desired.get()},
          {"progress", status.progress},
          {"lagRecords", optional(status.lag_records)},
          {"lagSeconds", optional(status.lag_seconds)},
          {"rowsPerSecond", optional(status.rows_per_second)},
          {"deadLetters", status.dead_letters},
          {"tables", write_tables(status.tables)},
          {"conditions", conditions},
          {"message", status.message}};
}

json write_binding(const plan::BindingStatus& status) {
  return {{"name", status.name},
          {"index", status.index.substr(status.index.find('/') + 1)},
          {"lagRecords", optional(status.lag_records)},
          {"deadLetters", status.dead_letters},
          {"state", status.state},
          {"message", status.message}};
}

std::string cell(const json& object, const char* name, int decimals = 0) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_string()) {
    auto text = found->get<std::string>();
    return text.empty() ? "-" : text;
  }
  if (found->is_number_float()) return fmt::format("{:.{}f}", found->get<double>(), decimals);
  return found->dump();
}

std::string is(const json& index, std::string_view type) {
  for (const auto& condition : index.at("conditions")) {
    if (condition.at("type") == type) return condition.at("status").get<std::string>();
  }
  return "Unknown";
}

std::string render(const json& status) {
  std::vector<std::vector<std::string>> rows = {{"INDEX", "PHASE", "READY", "AVAILABLE",
                                                 "GENERATION", "ALIAS", "LAG", "LAG(s)", "ROWS/s",
                                                 "DEAD"}};
  for (const auto& index : status.at("indices")) {
    rows.push_back({cell(index, "name"), cell(index, "phase"), is(index, "Ready"),
                    is(index, "Available"), cell(index, "generation"), cell(index, "alias"),
                    cell(index, "lagRecords"), cell(index, "lagSeconds", 1),
                    cell(index, "rowsPerSecond", 1), cell(index, "deadLetters")});
  }
  std::string text = table(rows);
  for (const auto& index : status.at("indices")) {
    const auto message = index.at("message").get<std::string>();
    if (!message.empty()) text += fmt::format("  {}: {}\n", cell(index, "name"), message);
  }
  rows = {{"BINDING", "INDEX", "STATE", "LAG", "DEAD", "MESSAGE"}};
  for (const auto& binding : status.at("bindings")) {
    rows.push_back({cell(binding, "name"), cell(binding, "index"), cell(binding, "state"),
                    cell(binding, "lagRecords"), cell(binding, "deadLetters"),
                    cell(binding, "message")});
  }
  text += "\n" + table(rows);
  rows = {{"PROCESS", "ROLE", "STATE", "PID", "ADDRESS", "MESSAGE"}};
  for (const auto& process : status.at("processes")) {
    rows.push_back({cell(process, "name"), cell(process, "role"), cell(process, "state"),
                    cell(process, "pid"), cell(process, "address"), cell(process, "message")});
  }
  text += "\n" + table(rows);
  for (const auto& fault : status.at("faults")) text += "\n" + fault.get<std::string>();
  if (!status.at("faults").empty()) text += "\nwhat runs is as it was before these faults\n";
  return text;
}

}  // namespace

std::string status_to_json(const plan::Observed& observed, const plan::Plan& plan,
                           const std::vector<model::Fault>& faults) {
  json status = {{"processes", write_processes(observed)},
                 {"workloads", write_workloads(observed)},
                 {"indices", json::array()},
                 {"bindings", json::array()},
                 {"faults", json::array()}};
  for (const auto& index : plan.indices) status["indices"].push_back(write_index(index));
  for (const auto& binding : plan.bindings) status["bindings"].push_back(write_binding(binding));
  for (const auto& fault : faults) status["faults"].push_back(model::to_string(fault));
  return status.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<std::vector<plan::ObservedWorkload>> workloads_from_status(std::string_view text) {
  try {
    std::vector<plan::ObservedWorkload> workloads;
    const json status = json::parse(text);
    for (const auto& one : status.at("workloads")) {
      plan::ObservedWorkload workload;
      workload.name = one.at("name").get<std::string>();
      workload.role = read_role(one.at("role"));
      workload.owner = one.at("owner").get<std::string>();
      workload.hash = one.at("hash").get<std::string>();
      workload.replicas = one.at("replicas").get<int32_t>();
      workload.processes = read_processes(one.at("processes"));
      workload.serves = one.at("serves").get<std::string>();
      workload.halts = one.at("halts").get<std::map<std::string, std::string>>();
      workload.snapshot_complete = one.at("snapshotComplete").get<std::map<std::string, bool>>();
      workloads.push_back(std::move(workload));
    }
    return workloads;
  } catch (const json::exception& error) {
    return fail(ErrorCode::kMalformed, error.what());
  }
}

Result<std::string> render_status(std::string_view text) {
  try {
    return render(json::parse(text));
  } catch (const json::exception& error) {
    return fail(ErrorCode::kMalformed, error.what());
  }
}

}  // namespace searchsync::control
