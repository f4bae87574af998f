// The worker without Kafka and without an engine: source records in memory, decoded, routed, folded
// into a real state on disk, built, and written into bulk bodies that are only counted. Prints rows
// per second of CPU time, for rows passed through, and for documents with five lookups and an
// array.
//
//   worker_bench [DOCUMENTS] [STATE_FOLDER]

#include <fmt/core.h>

#include <cstdlib>
#include <ctime>
#include <deque>
#include <filesystem>
#include <vector>

#include "lib/base/check.h"
#include "lib/elastic/bulk.h"
#include "lib/model/pipeline.h"
#include "worker/core/decode.h"
#include "worker/core/worker.h"
#include "worker/run/state_database.h"

namespace searchsync::worker {
namespace {

constexpr size_t kBatch = 500;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

model::SourceBinding binding(std::string name, model::Relation relation,
                             std::vector<model::FieldMapping> fields) {
  model::SourceBinding made;
  made.metadata.name = std::move(name);
  made.spec.source =
      model::PostgresSource{.secret_ref = {"db"}, .table = "public." + made.metadata.name};
  made.spec.key = {"id"};
  made.spec.relation = std::move(relation);
  made.spec.fields = std::move(fields);
  return made;
}

struct Record {
  size_t binding = 0;
  std::string key;
  std::string value;
};

std::string envelope(std::string_view table, size_t lsn, std::string_view after) {
  return fmt::format(
      R"({{"before":null,"after":{},"source":{{"version":"0.1.0","connector":"postgresql",)"
      R"("name":"db","ts_ms":1700000000000,"ts_us":1700000000000000,"snapshot":"false",)"
      R"("db":"db","schema":"public","table":"{}","txId":7,"lsn":{},"epoch":1}},)"
      R"("op":"c","ts_ms":1700000000001}})",
      after, table, lsn);
}

constexpr std::string_view kText =
    "a run of a test, with a name of a usual length and some words about why it failed: expected "
    "the "
    "response within two seconds but the connection was closed by the other side after three tries";

struct Load {
  std::vector<model::SourceBinding> bindings;
  std::vector<Record> records;
  size_t documents = 0;
};

Load flat(size_t documents) {
  Load load{.documents = documents};
  load.bindings = {binding("run", model::RootRelation{},
                           {{"id", "id"},
                            {"name", "name"},
                            {"status", "status"},
                            {"log", "log"},
                            {"owner", "owner"},
                            {"created_at", "createdAt"},
                            {"duration", "duration"},
                            {"platform", "platform"}})};
  for (size_t i = 0; i < documents; ++i) {
    load.records.push_back(
        {0, fmt::format(R"({{"id":{}}})", i),
         envelope("run", i + 1,
                  fmt::format(
                      R"({{"id":{},"name":"auth_login_test_{}","status":"FAILED",)"
                      R"("owner":{},"created_at":"2024-01-15T10:30:00.123456Z","duration":"12.50",)"
                      R"("platform":"linux-x64","log":"{}"}})",
                      i, i % 1000, i % 500, kText))});
  }
  return load;
}

Load joined(size_t documents) {
  Load load{.documents = documents};
  const std::vector<std::string> lookups = {"owner", "image", "project", "workspace", "bug"};
  for (const auto& name : lookups) {
    load.bindings.push_back(binding(name,
                                    model::LookupRelation{.of = "root", .from = {name + "_id"}},
                                    {{"id", name + "Id"}, {"name", name + "Name"}}));
  }
  load.bindings.push_back(binding("run", model::RootRelation{},
                                  {{"id", "id"},
                                   {"name", "name"},
                                   {"status", "status"},
                                   {"log", "log"},
                                   {"created_at", "createdAt"}}));
  load.bindings.push_back(binding("hit",
                                  model::ChildrenRelation{.from = {"run_id"}, .into = "hits"},
                                  {{"id", "id"}, {"text", "text"}}));
  size_t lsn = 0;
  for (size_t b = 0; b < lookups.size(); ++b) {
    for (size_t i = 0; i < 500; ++i) {
      load.records.push_back(
          {b, fmt::format(R"({{"id":{}}})", i),
           envelope(lookups[b], ++lsn,
                    fmt::format(R"({{"id":{},"name":"{} number {}"}})", i, lookups[b], i))});
    }
  }
  for (size_t i = 0; i < documents; ++i) {
    std::string after = fmt::format(R"({{"id":{},"name":"auth_login_test_{}","status":"FAILED",)"
                                    R"("created_at":"2024-01-15T10:30:00.123456Z","log":"{}")",
                                    i, i % 1000, kText);
    for (size_t b = 0; b < lookups.size(); ++b)
      after += fmt::format(R"(,"{}_id":{})", lookups[b], (i * (b + 3)) % 500);
    load.records.push_back(
        {5, fmt::format(R"({{"id":{}}})", i), envelope("run", ++lsn, after + "}")});
    load.records.push_back(
        {6, fmt::format(R"({{"id":{}}})", i),
         envelope("hit", ++lsn, fmt::format(R"({{"id":{},"run_id":{},"text":"hit"}})", i, i))});
  }
  return load;
}

struct LogEntry {
  EncodedMessage message;
};

// The document log, as the routers write it.
std::deque<EncodedMessage> route(const Load& load, const model::Pipeline& pipeline) {
  std::vector<BindingId> ids;
  std::vector<Decoder> decoders;
  for (const auto& b : load.bindings) {
    BindingId id = 0;
    while (pipeline.binding(id).name != b.metadata.name) ++id;
    ids.push_back(id);
    decoders.emplace_back(b);
  }
  std::deque<EncodedMessage> log;
  for (size_t i = 0; i < load.records.size(); ++i) {
    const auto& record = load.records[i];
    auto row = decoders[record.binding].decode(record.key, record.value,
                                               Offset(static_cast<int64_t>(i)), 0);
    CHECK(row && *row, "{}", row ? "nothing" : row.error().message);
    log.push_back(encode({.kind = MessageKind::kRow,
                          .binding = ids[record.binding],
                          .key = (*row)->key,
                          .position = (*row)->position,
                          .changed_at_us = (*row)->changed_at_us,
                          .row = (*row)->row}));
  }
  return log;
}

// kLoad: every document is written once, after all is folded; kChanges: each when it is touched.
enum class Begin { kChanges, kLoad };

void measure(std::string_view name, const Load& load, Begin begin, const std::string& folder) {
  std::filesystem::remove_all(folder);
  model::SearchIndex index;
  const auto pipeline = model::compile(index, load.bindings);
  CHECK(pipeline.has_value());
  const double start = cpu_seconds();
  auto log = route(load, *pipeline);
  if (begin == Begin::kChanges) log.push_front(encode_begin(Generation(1)));
  const double routed = cpu_seconds();
  auto states = StateDatabase::open(folder, {});
  CHECK(states.has_value(), "{}", states ? "" : states.error().message);
  auto store = (*states)->partition(Partition(0));
  PartitionWorker worker(*pipeline, {.partition = Partition(0), .partitions = 1}, *store);
  worker.start({.identity = "bench", .committed = Offset(0), .end = Offset(0)});
  size_t at = 0, messages = 0, writes = 0, bytes = 0;
  std::string body;
  const auto write = [&](const Work& work) {
    body.clear();
    for (const auto& touch : work.touched) {
      const auto made = worker.write(touch.root, touch.changed_at_us, 0);
      if (!made) continue;
      elastic::append_index(body, made->root, made->version, made->document.value_or("{}"));
      ++writes;
    }
    bytes += body.size();
    if (work.pieces() > 0) worker.acknowledge(work.batch, work.pieces());
  };
  const auto read = [&] {
    std::vector<LogRecord> records;
    const size_t end = std::min(log.size(), at + kBatch);
    for (size_t i = at; i < end; ++i) {
      records.push_back(
          {.offset = Offset(static_cast<int64_t>(i)), .key = log[i].key, .value = log[i].value});
    }
    auto work = worker.apply(records);
    messages += records.size();
    for (size_t i = at; i < end; ++i) log[i] = {};
    at = end;
    for (auto& send : work.sends) log.push_back(std::move(send.message));
    write(work);
    while (auto more = worker.fan_out(200)) write(*more);
  };
  while (at < log.size()) read();
  if (begin == Begin::kLoad) {
    log.push_back(encode_begin(Generation(1)));
    read();
  }
  const double folded = cpu_seconds();
  CHECK(writes >= load.documents, "{} of {} documents written", writes, load.documents);
  const auto rows = static_cast<double>(load.records.size());
  const auto documents = static_cast<double>(load.documents);
  fmt::print("{:<34} {:>9.0f} {:>9.0f} {:>7.2f} {:>7.2f} {:>9.2f} {:>9.2f} {:>8}\n", name,
             rows / (folded - start), documents / (folded - start), (routed - start) / rows * 1e6,
             (folded - routed) / static_cast<double>(messages) * 1e6,
             static_cast<double>(messages) / documents, static_cast<double>(writes) / documents,
             bytes / std::max<size_t>(writes, 1));
}

}  // namespace
}  // namespace searchsync::worker

int main(int argc, char** argv) {
  using namespace searchsync::worker;
  const size_t documents = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const std::string folder = argc > 2 ? argv[2] : "bench-state";
  fmt::print("{:<34} {:>9} {:>9} {:>7} {:>7} {:>9} {:>9} {:>8}\n", "a second of CPU", "rows",
             "documents", "µs/row", "µs/msg", "msg/doc", "write/doc", "bytes");
  measure("passed through", flat(documents), Begin::kChanges, folder);
  measure("five lookups and an array, load", joined(documents), Begin::kLoad, folder);
  measure("five lookups and an array, changes", joined(documents), Begin::kChanges, folder);
  std::filesystem::remove_all(folder);
}
