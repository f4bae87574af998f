#include "lib/positions/position.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"

namespace searchsync::positions {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr size_t kDigits = 8;  // of a database
constexpr size_t kParts = 4;

// Hexadecimal digits, in lower case, and nothing else.
template <class T>
bool read_hex(std::string_view text, T& value) {
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value, 16);
  return read.ec == std::errc() && read.ptr == end &&
         text.find_first_of("ABCDEF-") == std::string_view::npos;
}

std::unexpected<Error> no_token() {
  return fail(ErrorCode::kInvalidArgument, "this is no token that a command answered with");
}

}  // namespace

std::string digest_of(std::string_view database) {
  return stable_hash_hex(database, kDigits);
}

std::string to_string(const Token& token) {
  return fmt::format("{:x}-{:x}-{}-{:x}", token.log.system, token.log.timeline, token.log.database,
                     token.lsn.get());
}

Result<Token> parse_token(std::string_view text) {
  std::array<std::string_view, kParts> parts;
  for (size_t i = 0; i < kParts; ++i) {
    const size_t end = i + 1 < kParts ? text.find('-') : text.size();
    if (end == std::string_view::npos) return no_token();
    parts[i] = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  Token token;
  uint64_t lsn = 0;
  uint32_t database = 0;
  if (!read_hex(parts[0], token.log.system) || !read_hex(parts[1], token.log.timeline) ||
      parts[2].size() != kDigits || !read_hex(parts[2], database) || !read_hex(parts[3], lsn)) {
    return no_token();
  }
  token.log.database = parts[2];
  token.lsn = postgres::Lsn(lsn);
  return token;
}

Result<std::vector<Token>> parse_tokens(std::string_view text) {
  std::vector<Token> tokens;
  while (true) {
    const size_t comma = text.find(',');
    std::string_view one = text.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    ASSIGN_OR_RETURN(Token token, parse_token(one));
    if (tokens.size() == kTokensMax) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("at most {} tokens", kTokensMax));
    }
    tokens.push_back(std::move(token));
    if (comma == std::string_view::npos) return tokens;
    text.remove_prefix(comma + 1);
  }
}

std::string positions_topic(std::string_view namespace_name, std::string_view capture_name) {
  return fmt::format("searchsync.capture.{}.{}.positions", namespace_name, capture_name);
}

std::string to_json(const CapturePosition& position) {
  json topics = json::object();
  for (const auto& [name, topic] : position.topics) {
    topics[name] = {{"ends", topic.ends}, {"whole", topic.whole}};
  }
  return json({{"version", kVersion},
               {"system", position.log.system},
               {"timeline", position.log.timeline},
               {"database", position.log.database},
               {"through", postgres::to_string(position.through)},
               {"topics", std::move(topics)}})
      .dump();
}

Result<CapturePosition> parse_position(std::string_view text) {
  try {
    const json in = json::parse(text);
    if (const int version = in.at("version").get<int>(); version > kVersion) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("the position has version {}, this program knows {}: a newer capture "
                              "wrote it, run that version",
                              version, kVersion));
    }
    CapturePosition position;
    position.log = {.system = in.at("system").get<uint64_t>(),
                    .timeline = in.at("timeline").get<uint32_t>(),
                    .database = in.at("database").get<std::string>()};
    ASSIGN_OR_RETURN(position.through, postgres::parse_lsn(in.at("through").get<std::string>()));
    for (const auto& [name, topic] : in.at("topics").items()) {
      position.topics[name] = {.ends = topic.at("ends").get<std::vector<int64_t>>(),
                               .whole = topic.at("whole").get<bool>()};
    }
    return position;
  } catch (const json::exception& error) {
    return fail(ErrorCode::kMalformed, fmt::format("a position of capture: {}", error.what()));
  }
}

}  // namespace searchsync::positions
