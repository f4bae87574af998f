#include "capture/run/chunk_reader.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>

#include "capture/core/value.h"
#include "lib/base/check.h"
#include "lib/postgres/quote.h"

namespace searchsync::capture {
namespace {

using postgres::quote_identifier;
using postgres::Rows;
using Parameters = std::vector<std::optional<std::string>>;

// (a, b) > ($1::int, $2::text), or nothing from the first row on.
std::string condition(const ReadableColumns& columns, bool from_the_start) {
  if (from_the_start) return {};
  std::string names;
  std::string values;
  for (size_t k = 0; k < columns.key.size(); ++k) {
    const std::string_view comma = k > 0 ? ", " : "";
    names += fmt::format("{}t.{}", comma, quote_identifier(columns.key[k].first));
    values += fmt::format("{}${}::{}", comma, k + 1, columns.key[k].second);
  }
  return fmt::format(" WHERE ({}) > ({})", names, values);
}

std::string list(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) {
    all += fmt::format("{}t.{}", all.empty() ? "" : ", ", quote_identifier(name));
  }
  return all;
}

}  // namespace

Wakeup::Wakeup() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(descriptor_ >= 0, "no descriptor for an eventfd");
}
Wakeup::~Wakeup() {
  close(descriptor_);
}
void Wakeup::wake() const {
  const uint64_t one = 1;
  (void)!write(descriptor_, &one, sizeof one);  // full: it is awake already
}
void Wakeup::clear() const {
  uint64_t count = 0;
  (void)!read(descriptor_, &count, sizeof count);
}

ChunkReader::ChunkReader(postgres::Connection connection, std::vector<TableName> tables,
                         const Wakeup& wakeup)
    : tables_(std::move(tables)),
      wakeup_(wakeup),
      canceller_(connection.canceller()),
      connection_(std::move(connection)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

ChunkReader::~ChunkReader() {
  thread_.request_stop();
  canceller_.cancel();
}

void ChunkReader::request(ChunkRequest request) {
  requests_.push_always(std::move(request));
}

void ChunkReader::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto request = requests_.pop(std::chrono::milliseconds(100));
    if (!request) continue;
    answers_.push_always({request->id, read(*request)});
    wakeup_.wake();
  }
}

Result<ChunkRows> ChunkReader::read(const ChunkRequest& request) {
  const TableName& table = tables_[request.table];
  const std::string name = postgres::quote_qualified(table.schema, table.name);
  RETURN_IF_ERROR(connection_.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  // Before the snapshot: an older one would find a table empty that was truncated or rewritten.
  const auto locked = connection_.query(fmt::format("LOCK TABLE {} IN ACCESS SHARE MODE", name));
  const auto read_rows = [&]() -> Result<ChunkRows> {
    if (!locked) return std::unexpected(locked.error());
    ChunkRows chunk;
    chunk.id = request.id;
    ASSIGN_OR_RETURN(chunk.snapshot, current_snapshot(connection_));
    ASSIGN_OR_RETURN(const ReadableColumns columns, readable_columns(connection_, table));
    std::vector<std::string> order;
    for (const auto& [column, type] : columns.key) order.push_back(column);
    Parameters after(request.after.begin(), request.after.end());
    ASSIGN_OR_RETURN(
        const Rows rows,
        connection_.query(
            fmt::format("SELECT {} FROM {}{} t{} ORDER BY {} LIMIT {}", list(columns.names),
                        columns.partitioned ? "" : "ONLY ", name, condition(columns, after.empty()),
                        list(order), request.rows_max),
            after));
    chunk.columns = columns.names;
    for (size_t c = 0; c < rows.columns(); ++c) {
      ASSIGN_OR_RETURN(chunk.types.emplace_back(), types_.type(connection_, rows.type(c)));
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      chunk.rows.add_row();
      for (size_t c = 0; c < rows.columns(); ++c) chunk.rows.add_cell(rows.at(r, c));
    }
    chunk.last = rows.size() < request.rows_max;
    return chunk;
  };
  auto chunk = read_rows();
  const auto ended = connection_.query("ROLLBACK");
  if (chunk && !ended) return std::unexpected(ended.error());
  return chunk;
}

}  // namespace searchsync::capture
