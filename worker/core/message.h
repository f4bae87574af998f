#pragma once

// The messages of the document log, and their form as Kafka records.
//
// Each has a compaction key: the newest record of a key is enough to restore the state. A receiver
// keeps the last position of a key and drops what is older; and since compaction would keep just
// that late record, the receiver has the newer one said again behind it.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/model/pipeline.h"

namespace searchsync::worker {

using model::BindingId;

// Orders the changes of one key. Of a Row: the source's epoch and its position there (a log
// sequence number, or an offset). Of a Child or Lookup: 0 and one more than the offset, in its
// owner's partition of the document log, that caused it.
struct Position {
  uint64_t epoch = 0;
  uint64_t value = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

enum class MessageKind : char {
  kRow = 'R',    // a row of a source, to its owner: the partition of hash(binding, key)
  kChild = 'C',  // from a row's owner to the partition of a root it belongs to; or its retraction
  kSubscribe = 'S',  // to a row's owner: tell `subscriber` this row, now and at each change
  kLookup = 'L',     // from a row's owner to a subscribed partition; without a row: it is absent
  kRepeat = 'P',     // to a row's owner: say again what the child is to this root
  kTouch = 'T',      // to a root's owner: its document is written again, as it is; changes nothing
  kLead = 'G',       // from here on only this generation sends messages
  kBegin = 'B',      // this generation writes every document, and from then on each that changes
};

// Longest key text of a row: what Elasticsearch takes as a document's id.
inline constexpr size_t kKeyBytesMax = 512;

struct Message {
  MessageKind kind = MessageKind::kRow;
  BindingId binding = 0;       // all but kLead, kBegin
  uint8_t side = 0;            // kChild, kRepeat: which of the binding's sides
  std::string_view key;        // of the row; all but kLead, kBegin
  std::string_view root;       // kChild, kRepeat: the root's key
  Partition subscriber;        // kSubscribe
  Generation generation;       // kLead, kBegin
  Position position;           // kRow, kChild, kLookup
  uint64_t changed_at_us = 0;  // when the source committed it, microseconds since 1970; 0: unknown
  std::optional<std::string_view> row;  // canonical JSON object; kRow, kChild, kLookup
};

// A Kafka record. A tombstone (no value) carries its position in the header kMetaHeader.
struct EncodedMessage {
  std::string key;
  std::optional<std::string> value;
  std::string meta;  // empty unless value is missing
};

inline constexpr std::string_view kMetaHeader = "m";

EncodedMessage encode(const Message& message);

// The record that hands the duty to send to `generation`.
EncodedMessage encode_lead(Generation generation);
// The record that has `generation` begin to write.
EncodedMessage encode_begin(Generation generation);

// The views point into the arguments. Errors: kMalformed.
Result<Message> decode(std::string_view key, std::optional<std::string_view> value,
                       std::optional<std::string_view> meta);

}  // namespace searchsync::worker
