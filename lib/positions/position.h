#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/postgres/lsn.h"

namespace searchsync::positions {

// Of places in a write-ahead log only those compare that are of one server, and of one timeline of
// it.
struct LogIdentity {
  uint64_t system = 0;  // the system identifier
  uint32_t timeline = 0;
  std::string database;  // digits that stand for its name: of digest_of()
  friend bool operator==(const LogIdentity&, const LogIdentity&) = default;
};

std::string digest_of(std::string_view database);

// What a command's answer carries: everything that it wrote, and had seen, was committed before
// `lsn`. See docs/decisions/0008-reading-your-own-writes.md.
struct Token {
  LogIdentity log;
  postgres::Lsn lsn;
  friend bool operator==(const Token&, const Token&) = default;
};

inline constexpr size_t kTokensMax = 8;  // that one query may carry

// "<system>-<timeline>-<database>-<lsn>", in hexadecimal.
std::string to_string(const Token& token);
// Errors: kInvalidArgument.
Result<Token> parse_token(std::string_view text);
// Several, with commas. Errors: also if there are more than kTokensMax.
Result<std::vector<Token>> parse_tokens(std::string_view text);

// A table's topic, as capture has written it.
struct TopicPosition {
  std::vector<int64_t> ends;  // by partition: behind the last record that Kafka has acknowledged
  // Whether all that was committed before is in it: not while the table is still being read, nor
  // once it cannot be.
  bool whole = false;
  friend bool operator==(const TopicPosition&, const TopicPosition&) = default;
};

// How far a capture is: every transaction that committed before `through` has all its records in
// the topics, before their ends.
struct CapturePosition {
  LogIdentity log;
  postgres::Lsn through;
  std::map<std::string, TopicPosition> topics;  // by name
  friend bool operator==(const CapturePosition&, const CapturePosition&) = default;
};

// The topic that has them: one partition; the newest record says all.
std::string positions_topic(std::string_view namespace_name, std::string_view capture_name);

std::string to_json(const CapturePosition& position);
// Errors: kMalformed; kUnsupported if a newer version of us wrote it.
Result<CapturePosition> parse_position(std::string_view json);

}  // namespace searchsync::positions
