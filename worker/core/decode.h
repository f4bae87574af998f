#pragma once

// Records of a source's topic, read as rows: what a binding's topic says, whoever wrote it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/model/resources.h"
#include "worker/core/message.h"

namespace searchsync::worker {

// A row as it is after a change. The views are valid until the decoder's next call, and as long as
// what it was given.
struct SourceRow {
  std::string_view key;                 // its key text, see key_text() in tuple.h
  Position position;                    // of the change, among those of this key
  uint64_t changed_at_us = 0;           // microseconds since 1970; 0: unknown
  std::optional<std::string_view> row;  // a canonical JSON object on one line; nothing: deleted
};

// Decodes the records of one binding. Keeps buffers and parsed schemas between calls; not
// thread-safe.
//
// Read: Debezium's change events, with schemas or without, as our capture and as Debezium 3 write
// them; and plain rows (model::RecordFormat::kJson). Values become canonical: decimals and times as
// text, bytes in base64. Without a schema nothing tells a time from a number: values stay.
class Decoder {
 public:
  explicit Decoder(const model::SourceBinding& binding);
  ~Decoder();
  Decoder(Decoder&&) noexcept;

  // key, value, offset, timestamp_ms: of the record. Without a value it deletes the row of its key.
  // Nothing is returned where there is nothing to do: a truncation, a message, a deletion that our
  // capture says twice.
  // Errors: kMalformed, or kUnsupported where the source did not tell a value; naming the binding,
  // the place in the record, what was expected and what was there.
  Result<std::optional<SourceRow>> decode(std::optional<std::string_view> key,
                                          std::optional<std::string_view> value, Offset offset,
                                          int64_t timestamp_ms);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::worker
