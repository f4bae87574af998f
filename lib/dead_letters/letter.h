#pragma once

// The records of a dead-letter topic: letters, and marks of what has been dealt with.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/kafka/poll_batch.h"
#include "lib/kafka/producer.h"

namespace searchsync::dead_letters {

// The stages at which something is given up on.
inline constexpr std::string_view kDecode = "decode";        // a source's record
inline constexpr std::string_view kFold = "fold";            // a message of the document log
inline constexpr std::string_view kIndex = "index";          // a document
inline constexpr std::string_view kAggregate = "aggregate";  // an event, to be counted

// Something that was given up on, with all that is needed to see why and to try again. As a record
// of the dead-letter topic: the key and the value are those of what was refused, byte for byte, the
// rest is in headers "searchsync-<name>".
struct Letter {
  std::string_view stage;
  std::string_view binding;  // empty if it concerns the whole document
  std::string_view topic;    // where it came from
  Partition partition;
  Offset offset;
  std::string_view log;  // the document log, or table, that it was to go into or came from
  std::string_view reason;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
};

// The record's headers; views into `letter` and into `numbers`, which must outlive them.
std::vector<kafka::Header> headers_of(const Letter& letter, std::vector<std::string>& numbers);

// Where a letter is in its topic; people write "<partition>/<offset>".
struct Place {
  Partition partition;
  Offset offset;
  friend auto operator<=>(const Place&, const Place&) = default;
};

std::string to_string(const Place& place);
// Errors: kInvalidArgument.
Result<Place> parse_place(std::string_view text);

// Says, behind the letters and in their partition, that those from `first` to `last` are dealt
// with. A topic cannot give up single records; a mark is as durable as the letters are, and is kept
// at least as long.
struct Mark {
  Offset first;
  Offset last;
  std::string_view how;  // "replayed" or "dropped"
};

// As headers_of(): of a record without key and value.
std::vector<kafka::Header> headers_of(const Mark& mark, std::vector<std::string>& numbers);

// Views into the message. A letter is whatever is no mark: what somebody else has written into the
// topic is one, too, with little in it, so that it can be seen and dropped.
std::optional<Mark> read_mark(const kafka::Message& message);
Letter read_letter(const kafka::Message& message);

}  // namespace searchsync::dead_letters
