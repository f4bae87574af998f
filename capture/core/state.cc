#include "capture/core/state.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace searchsync::capture {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

json table_json(const TableState& table) {
  json out = {{"topic", table.topic},
              {"epoch", table.epoch},
              {"floor", table.floor},
              {"keyColumns", table.key_columns},
              {"form", table.form},
              {"snapshot", table.phase == SnapshotPhase::kDone ? "done" : "running"},
              {"rows", table.rows}};
  if (!table.last_key.empty()) out["lastKey"] = table.last_key;
  if (table.sweep) out["sweep"] = true;
  if (table.left) out["left"] = true;
  if (!table.stopped.empty()) out["stopped"] = table.stopped;
  if (table.make != TableMake{}) {
    out["make"] = {{"oid", table.make.oid},
                   {"columns", table.make.columns},
                   {"file", table.make.file},
                   {"alterations", table.make.alterations},
                   {"partitions", table.make.partitions}};
  }
  return out;
}

TableState table_of(const json& in) {
  TableState table;
  table.topic = in.at("topic").get<std::string>();
  table.epoch = in.at("epoch").get<uint64_t>();
  table.floor = in.at("floor").get<uint64_t>();
  table.key_columns = in.at("keyColumns").get<std::vector<std::string>>();
  table.form = in.at("form").get<std::string>();
  table.phase = in.at("snapshot").get<std::string>() == "done" ? SnapshotPhase::kDone
                                                               : SnapshotPhase::kRunning;
  table.rows = in.at("rows").get<uint64_t>();
  table.last_key = in.value("lastKey", std::vector<std::string>());
  table.sweep = in.value("sweep", false);
  table.left = in.value("left", false);
  table.stopped = in.value("stopped", std::string());
  if (const auto make = in.find("make"); make != in.end()) {
    table.make = {.oid = make->at("oid").get<std::string>(),
                  .columns = make->at("columns").get<std::string>(),
                  .file = make->at("file").get<std::string>(),
                  .alterations = make->at("alterations").get<std::string>(),
                  .partitions = make->at("partitions").get<std::set<std::string>>()};
  }
  return table;
}

}  // namespace

std::string to_json(const CaptureState& state) {
  json tables = json::object();
  for (const auto& [name, table] : state.tables) tables[name] = table_json(table);
  const json out = {{"version", kVersion},
                    {"systemId", state.system_id},
                    {"timeline", state.timeline},
                    {"flushed", postgres::to_string(state.flushed)},
                    {"tables", std::move(tables)}};
  // Keys may hold bytes that are not UTF-8, in a database without an encoding.
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<CaptureState> parse_state(std::string_view text) {
  try {
    const json in = json::parse(text);
    if (const int version = in.at("version").get<int>(); version > kVersion) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("the state has version {}, this program knows {}: a newer one wrote "
                              "it, run that one",
                              version, kVersion));
    }
    CaptureState state;
    state.system_id = in.at("systemId").get<std::string>();
    state.timeline = in.at("timeline").get<uint32_t>();
    ASSIGN_OR_RETURN(state.flushed, postgres::parse_lsn(in.at("flushed").get<std::string>()));
    for (const auto& [name, table] : in.at("tables").items()) {
      state.tables[name] = table_of(table);
    }
    return state;
  } catch (const json::exception& error) {
    return fail(ErrorCode::kMalformed, fmt::format("the saved state: {}", error.what()));
  }
}

}  // namespace searchsync::capture
