#pragma once

// What the simulation runs on: tables, the pipeline over them, random histories, and the join that
// the documents must equal, which shares no code with the worker.

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/named.h"
#include "lib/model/pipeline.h"

namespace searchsync::worker::simulation {

using nlohmann::json;
using Rows = std::map<std::string, std::map<int, json>>;  // table -> key -> row

// Whether each day of the column "at" of runs has an index of its own, routed by "owner".
// kCleaned: also that rows of days that are no more are deleted from the log; no peers then.
enum class Partitioned { kNo, kYes, kCleaned };
constexpr std::chrono::hours kRetain{72};
constexpr std::string_view kNow = "2026-11-29T12:00:00Z";

// A root (run) with a lookup (owner) that itself looks up (team), children (bug) with a chain of
// lookups of their own, and a link (peer) that shows on both runs. The second generation shows the
// column "n" as a number, and so refuses the rows where it is none.
model::Pipeline make_pipeline(Generation generation, Partitioned partitioned);

// The bindings that read a table.
const std::vector<std::string>& bindings_of(const std::string& table);

// The documents of one generation, by id; if partitioned, each with its place as "@place".
std::map<std::string, json> join(Rows rows, Generation generation, Partitioned partitioned);

// Whether a document shows an older row of its root than the one that it replaces.
bool went_back(const std::optional<std::string>& before, const std::optional<std::string>& after);

struct Change {
  std::string table;
  int key = 0;
  uint64_t position = 0;
  json row;  // null: deleted
};

// A random history; `rows` becomes what it ends with.
std::vector<Change> make_history(std::mt19937_64& rng, Rows& rows);

}  // namespace searchsync::worker::simulation
