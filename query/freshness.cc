#include "query/freshness.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/elastic/json_text.h"

namespace searchsync::query {
namespace {

std::string quoted(std::string_view text) {
  std::string json;
  elastic::append_quoted(json, text);
  return json;
}

std::string members(int64_t records, std::optional<int64_t> millis) {
  return fmt::format(R"("recordsBehind":{},"behindMs":{})", records,
                     millis ? std::to_string(*millis) : "null");
}

// The worse of both; what is not known may be.
std::optional<int64_t> worse(std::optional<int64_t> one, std::optional<int64_t> other) {
  if (!one || !other) return std::nullopt;
  return std::max(*one, *other);
}

}  // namespace

int64_t next_offset(const PartitionProgress& partition) {
  return std::max(partition.begin, partition.committed.value_or(partition.begin));
}

bool is_behind(const PartitionProgress& partition) {
  return next_offset(partition) < partition.end;
}

Lag lag_of(std::span<const PartitionProgress> partitions, int64_t now_ms) {
  Lag lag;
  for (const PartitionProgress& partition : partitions) {
    if (!is_behind(partition)) continue;
    lag.records += partition.end - next_offset(partition);
    std::optional<int64_t> age;
    // Clocks differ a little.
    if (partition.oldest_ms) age = std::max<int64_t>(now_ms - *partition.oldest_ms, 0);
    lag.millis = worse(lag.millis, age);
  }
  return lag;
}

std::string render(const Progress& progress) {
  const Lag log = lag_of(progress.document_log, progress.now_ms);
  std::string sources;
  for (const SourceProgress& source : progress.sources) {
    Lag lag = lag_of(source.partitions, progress.now_ms);
    if (source.partitions.empty()) lag.millis.reset();
    if (!sources.empty()) sources += ',';
    sources +=
        fmt::format(R"({{"binding":{},"topic":{},{}}})", quoted(source.binding),
                    quoted(source.topic), members(lag.records, worse(lag.millis, log.millis)));
  }
  return fmt::format(R"({{"at":"{}","index":{},"documentLog":{{{}}},"sources":[{}]}})",
                     format_time(progress.at), quoted(progress.index),
                     members(log.records, log.millis), sources);
}

std::string render_unknown(std::chrono::sys_seconds at, std::string_view why) {
  return fmt::format(R"({{"at":"{}","unknown":{}}})", format_time(at), quoted(why));
}

}  // namespace searchsync::query
