#include "worker/core/simulation_rows.h"

#include <set>

#include "lib/base/check.h"
#include "worker/core/test_bindings.h"

namespace searchsync::worker::simulation {
namespace {

// Of the days that runs have, those that are kept, seen from kNow: not the last ones.
const std::set<json> kDaysKept = {"2026-11-26", "2026-11-27T23:59:59.9Z", "2026-11-28",
                                  "2026-11-30"};
const std::vector<json> kDays = {"2026-11-26", "2026-11-27T23:59:59.9Z",
                                 "2026-11-28", "2026-11-30",
                                 "2026-11-25", "2026-12-01",
                                 nullptr,      "soon"};

bool shown(const json& row, Generation generation) {
  return generation == Generation(1) || row["n"].is_number();
}

}  // namespace

model::Pipeline make_pipeline(Generation generation, Partitioned partitioned) {
  const auto type =
      generation == Generation(1) ? model::FieldType::kAuto : model::FieldType::kNumber;
  std::vector<model::SourceBinding> bindings = {
      binding("run", model::RootRelation{}, {{"id", "id"}, {"name", "name"}, {"n", "n", type}}),
      binding("owner", model::LookupRelation{.of = "root", .from = {"owner"}},
              {{"name", "owner.name"}, {"n", "owner.n", type}}),
      binding("team", model::LookupRelation{.of = "owner", .from = {"team"}},
              {{"name", "owner.team"}, {"n", "owner.teamN", type}}),
      binding("bug", model::ChildrenRelation{.from = {"run"}, .into = "bugs"},
              {{"id", "id"}, {"name", "name"}, {"n", "n", type}}),
      binding("assignee", model::LookupRelation{.of = "bug", .from = {"assignee"}},
              {{"name", "assignee"}, {"n", "assigneeN", type}}),
      binding("assigneeTeam", model::LookupRelation{.of = "assignee", .from = {"team"}},
              {{"name", "assigneeTeam"}, {"n", "assigneeTeamN", type}}),
      binding("peer", model::LinkRelation{.near = {"a"}, .far = {"b"}, .into = "peers"},
              {{"id", "id"}, {"n", "n", type}, {"far.name", "name"}, {"far.n", "farN", type}})};
  model::SearchIndex index;
  if (partitioned == Partitioned::kCleaned) bindings.pop_back();
  if (partitioned != Partitioned::kNo) {
    bindings.front().spec.fields.push_back({"at", "at"});
    bindings.front().spec.fields.push_back({"owner", "ownerId"});
    index.spec.partitioning =
        model::PartitioningSpec{.field = "at", .retain = kRetain, .routing = "ownerId"};
  }
  auto compiled = model::compile(index, bindings);
  CHECK(compiled.has_value());
  return *compiled;
}

const std::vector<std::string>& bindings_of(const std::string& table) {
  static const std::map<std::string, std::vector<std::string>> all = {
      {"run", {"run"}},
      {"owner", {"owner", "assignee"}},
      {"team", {"team", "assigneeTeam"}},
      {"bug", {"bug"}},
      {"peer", {"peer"}}};
  return all.at(table);
}

std::map<std::string, json> join(Rows rows, Generation generation, Partitioned partitioned) {
  for (auto& [table, content] : rows) {
    std::erase_if(content, [&](const auto& entry) { return !shown(entry.second, generation); });
  }
  const auto row = [&rows](const char* table, const json& key) -> json {
    if (key.is_null() || !rows[table].contains(key.get<int>())) return nullptr;
    return rows[table][key.get<int>()];
  };
  const auto of = [](const json& r, const char* column) {
    return r.is_null() ? json() : r[column];
  };
  std::map<std::string, json> documents;
  for (const auto& [key, run] : rows["run"]) {
    const json owner = row("owner", run["owner"]);
    const json team = row("team", of(owner, "team"));
    json document = {{"id", key},
                     {"name", run["name"]},
                     {"n", run["n"]},
                     {"owner",
                      {{"name", of(owner, "name")},
                       {"n", of(owner, "n")},
                       {"team", of(team, "name")},
                       {"teamN", of(team, "n")}}},
                     {"bugs", json::array()}};
    if (partitioned != Partitioned::kCleaned) document["peers"] = json::array();
    for (const auto& [bug_key, bug] : rows["bug"]) {
      if (bug["run"] != key) continue;
      const json assignee = row("owner", bug["assignee"]);
      const json assignee_team = row("team", of(assignee, "team"));
      document["bugs"].push_back({{"id", bug_key},
                                  {"name", bug["name"]},
                                  {"n", bug["n"]},
                                  {"assignee", of(assignee, "name")},
                                  {"assigneeN", of(assignee, "n")},
                                  {"assigneeTeam", of(assignee_team, "name")},
                                  {"assigneeTeamN", of(assignee_team, "n")}});
    }
    for (const auto& [peer_key, peer] : rows["peer"]) {
      if (partitioned == Partitioned::kCleaned) break;
      for (const auto& [near, far] : {std::pair("a", "b"), std::pair("b", "a")}) {
        if (peer[near] != key) continue;
        const json other = row("run", peer[far]);
        document["peers"].push_back({{"id", peer_key},
                                     {"n", peer["n"]},
                                     {"name", of(other, "name")},
                                     {"farN", of(other, "n")}});
      }
    }
    if (partitioned != Partitioned::kNo) {
      if (!kDaysKept.contains(run["at"])) continue;
      document["at"] = run["at"];
      document["ownerId"] = run["owner"];
      const auto routing = run["owner"].is_null() ? "" : run["owner"].dump();
      document["@place"] = run["at"].get<std::string>().substr(0, 10) + "/" + routing;
    }
    documents[std::to_string(key)] = document;
  }
  return documents;
}

bool went_back(const std::optional<std::string>& before, const std::optional<std::string>& after) {
  if (!before || !after) return false;
  const json was = json::parse(*before), is = json::parse(*after);
  if (!was["n"].is_number() || !is["n"].is_number()) return false;
  return is["n"] < was["n"];  // the position of the root's row
}

std::vector<Change> make_history(std::mt19937_64& rng, Rows& rows) {
  const auto below = [&rng](int bound) {
    return std::uniform_int_distribution<int>(0, bound - 1)(rng);
  };
  const auto some = [&](int count) { return below(count + 1) == 0 ? json() : json(below(count)); };
  const std::vector<std::string> tables = {"run", "owner", "team", "bug", "peer"};
  std::vector<Change> history;
  std::mt19937_64 days = rng;  // of its own: the rest is as it is without them
  days.discard(10'000);
  const int length = 5 + below(75);
  for (int position = 1; position <= length; ++position) {
    Change change{.table = tables[static_cast<size_t>(below(5))],
                  .key = below(4),
                  .position = static_cast<uint64_t>(position)};
    if (below(5) == 0) {
      rows[change.table].erase(change.key);
    } else {
      change.row = {
          {"id", change.key},
          {"name", below(4) == 0 ? "same" : change.table + "@" + std::to_string(position)},
          {"n", below(8) == 0 ? json("none") : json(position)}};
      if (change.table == "run") {
        change.row["owner"] = some(3);
        change.row["at"] = kDays[days() % kDays.size()];
      }
      if (change.table == "owner") change.row["team"] = some(2);
      if (change.table == "bug") change.row.update({{"run", some(4)}, {"assignee", some(3)}});
      if (change.table == "peer") change.row.update({{"a", some(4)}, {"b", some(4)}});
      rows[change.table][change.key] = change.row;
    }
    history.push_back(change);
  }
  return history;
}

}  // namespace searchsync::worker::simulation
