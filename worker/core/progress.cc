#include "worker/core/progress.h"

#include "lib/base/check.h"
#include "worker/core/bytes.h"

namespace searchsync::worker {

std::string encode_progress(const Progress& progress, std::string_view log) {
  std::string out;
  append_short_string(out, log);
  append_integer(out, progress.applied.get());
  append_integer(out, progress.leader.get());
  append_integer(out, progress.yielded_ms);
  append_integer(out, progress.next_batch);
  append_integer(out, progress.began_ms);
  append_integer(out, progress.newest_ms);
  append_integer(out, static_cast<uint8_t>(progress.whole));
  append_integer(out, progress.silent_until.get());
  append_integer(out, progress.begun_at ? progress.begun_at->get() : int64_t{-1});
  append_integer(out, static_cast<uint8_t>(progress.first_pass));
  out += progress.cursor;
  return out;
}

std::optional<Progress> decode_progress(std::string_view bytes, std::string_view log) {
  ByteReader reader(bytes);
  if (reader.short_string() != log) return std::nullopt;
  Progress progress;
  progress.applied = Offset(reader.integer<int64_t>());
  progress.leader = Generation(reader.integer<int32_t>());
  progress.yielded_ms = reader.integer<int64_t>();
  progress.next_batch = reader.integer<uint64_t>();
  progress.began_ms = reader.integer<int64_t>();
  progress.newest_ms = reader.integer<int64_t>();
  progress.whole = reader.integer<uint8_t>() != 0;
  progress.silent_until = Offset(reader.integer<int64_t>());
  if (const auto begun = reader.integer<int64_t>(); begun >= 0) progress.begun_at = Offset(begun);
  progress.first_pass = static_cast<FirstPass>(reader.integer<uint8_t>());
  progress.cursor = reader.rest();
  CHECK(reader.ok(), "the record of progress is torn");
  return progress;
}

}  // namespace searchsync::worker
