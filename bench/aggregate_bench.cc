// What aggregates events, without Kafka: events in memory, read, folded into groups with a real
// state on disk, and rows that are only counted. Prints events per second of CPU time and the
// memory that the process takes with so many groups. One case a process, so that memory is its own.
//
//   aggregate_bench CASE EVENTS GROUPS STATE_FOLDER

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "aggregate/core/partitioner.h"
#include "aggregate/core/table_partition.h"
#include "aggregate/run/state_store.h"
#include "lib/base/check.h"

namespace searchsync::aggregate {
namespace {

constexpr size_t kBatch = 5'000;
constexpr int64_t kEventsPerSecond = 100'000;  // of the time that passes in the events

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double resident_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return 0;
}

model::AggregateSpec spec(bool dedupe) {
  model::AggregateSpec spec;
  spec.columns = {{.name = "delivered", .where = {{"type", {"delivered"}}}},
                  {.name = "bounced", .where = {{"type", {"bounced"}}}}};
  spec.derived = {
      {.name = "status",
       .rules = {{.when = {{"bounced", 1, {}}}, .value = "not-catch-all", .sticks = true},
                 {.when = {{"delivered", 1001, {}}, {"bounced", {}, 0}}, .value = "catch-all"}},
       .otherwise = "unknown"}};
  if (dedupe) {
    spec.dedupe = model::DedupeSpec{
        .by = "event_id", .window = std::chrono::seconds(10), .ids_max = 10'000'000};
  }
  return spec;
}

enum class Spread { kUniform, kSkewed };

// The domain of an event: each alike, or few that have most.
uint64_t draw(std::mt19937_64& random, uint64_t groups, Spread spread) {
  if (spread == Spread::kUniform) return random() % groups;
  const double share = std::uniform_real_distribution<>(0, 1)(random);
  return static_cast<uint64_t>(static_cast<double>(groups) * std::pow(share, 6));
}

struct Case {
  std::string name;
  size_t events = 0;
  uint64_t groups = 0;
  Spread spread = Spread::kUniform;
  bool dedupe = false;
  size_t memory_bytes = size_t{1} << 30;
};

// As `searchsync ingest` writes them.
void append_event(std::mt19937_64& random, uint64_t domain, std::string& key, std::string& value) {
  key = fmt::format("domain-{:08}.example.org", domain);
  value = fmt::format(R"({{"domain":"{}","type":"{}","event_id":"{:016x}-{:016x}",)"
                      R"("timestamp":"2026-01-31T12:00:00.000000Z"}})",
                      key, random() % 1000 == 0 ? "bounced" : "delivered", random(), random());
}

void measure(const Case& one, const std::string& folder) {
  std::filesystem::remove_all(folder);
  const Definition definition({"domain"}, {"domain"}, spec(one.dedupe));
  auto states = StateStore::open(folder, size_t{64} << 20);
  CHECK(states, "{}", states ? "" : states.error().message);
  std::string prefix("\0\0", 2);
  auto store = (*states)->store(prefix);
  Shared shared;
  shared.memory.bytes_max = one.memory_bytes;
  TablePartition core(definition, {.partition = Partition(0), .partitions = 1}, *store, shared);
  core.start({.identity = "bench", .committed = std::nullopt, .table_end = Offset(0)});
  std::mt19937_64 random(1);
  std::vector<std::pair<std::string, std::string>> texts(kBatch);
  std::vector<EventRecord> records(kBatch);
  double used = 0;
  size_t rows = 0, row_bytes = 0;
  int64_t offset = 0, now_ms = 0;
  for (size_t done = 0; done < one.events; done += kBatch) {
    now_ms = offset * 1000 / kEventsPerSecond;
    for (size_t i = 0; i < kBatch; ++i) {
      auto& [key, value] = texts[i];
      append_event(random, draw(random, one.groups, one.spread), key, value);
      records[i] = {Offset(offset++), key, value, now_ms};
    }
    const double before = cpu_seconds();
    core.apply(records, now_ms);
    CHECK(!core.halted());
    if (const auto due = core.due_ms(); due && *due <= now_ms) {
      core.flush(TablePartition::Which::kDue, now_ms, [&](const TableRow& row) {
        ++rows;
        row_bytes += row.value.size() + row.state.size();
      });
      core.flushed(Offset(static_cast<int64_t>(rows)));
    }
    used += cpu_seconds() - before;
  }
  CHECK(core.events() == static_cast<uint64_t>(offset));
  const auto events = static_cast<double>(one.events);
  fmt::print(R"({{"name":"{}","perCpuSecond":{:.0f},"rowsPerEvent":{:.3f},"rowBytes":{},)"
             R"("rssMb":{:.0f},"diskMb":{:.0f}}})"
             "\n",
             one.name, events / used, static_cast<double>(rows) / events,
             row_bytes / std::max<size_t>(rows, 1), resident_megabytes(),
             static_cast<double>((*states)->bytes()) / (1 << 20));
}

}  // namespace
}  // namespace searchsync::aggregate

int main(int argc, char** argv) {
  using namespace searchsync::aggregate;
  const size_t events = argc == 5 ? std::strtoull(argv[2], nullptr, 10) : 0;
  const uint64_t groups = argc == 5 ? std::strtoull(argv[3], nullptr, 10) : 0;
  const Case cases[] = {
      {"few groups have most events", events, groups, Spread::kSkewed},
      {"the same, without duplicates", events, groups, Spread::kSkewed, true},
      {"each group alike", events, groups, Spread::kUniform},
      {"the same, 100 MB of it in memory", events, groups, Spread::kUniform, false, 100 << 20}};
  const size_t number = argc == 5 ? std::strtoull(argv[1], nullptr, 10) : 0;
  if (number < 1 || number > std::size(cases) || events == 0 || groups == 0) {
    fmt::print(stderr, "usage: aggregate_bench CASE (1 to {}) EVENTS GROUPS STATE_FOLDER\n",
               std::size(cases));
    return 2;
  }
  measure(cases[number - 1], argv[4]);
  std::filesystem::remove_all(argv[4]);
}
