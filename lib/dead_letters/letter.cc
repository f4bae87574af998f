#include "lib/dead_letters/letter.h"

#include <fmt/core.h>

#include <charconv>

namespace searchsync::dead_letters {
namespace {

constexpr const char* kStageHeader = "searchsync-stage";
constexpr const char* kBindingHeader = "searchsync-binding";
constexpr const char* kTopicHeader = "searchsync-topic";
constexpr const char* kPartitionHeader = "searchsync-partition";
constexpr const char* kOffsetHeader = "searchsync-offset";
constexpr const char* kLogHeader = "searchsync-log";
constexpr const char* kReasonHeader = "searchsync-reason";
constexpr const char* kDoneHeader = "searchsync-done";
constexpr const char* kHowHeader = "searchsync-how";

// A number that is not negative, and nothing besides.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end || number < 0) return {};
  return number;
}

}  // namespace

std::vector<kafka::Header> headers_of(const Letter& letter, std::vector<std::string>& numbers) {
  numbers = {std::to_string(letter.partition.get()), std::to_string(letter.offset.get())};
  return {{kStageHeader, letter.stage},  {kBindingHeader, letter.binding},
          {kTopicHeader, letter.topic},  {kPartitionHeader, numbers[0]},
          {kOffsetHeader, numbers[1]},   {kLogHeader, letter.log},
          {kReasonHeader, letter.reason}};
}

std::string to_string(const Place& place) {
  return fmt::format("{}/{}", place.partition.get(), place.offset.get());
}

Result<Place> parse_place(std::string_view text) {
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto partition = parse_number<int32_t>(text.substr(0, slash));
    const auto offset = parse_number<int64_t>(text.substr(slash + 1));
    if (partition && offset) return Place{Partition(*partition), Offset(*offset)};
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" is no position: give it as `list` shows it, as in 0/17", text));
}

std::vector<kafka::Header> headers_of(const Mark& mark, std::vector<std::string>& numbers) {
  numbers = {fmt::format("{}-{}", mark.first.get(), mark.last.get())};
  return {{kDoneHeader, numbers[0]}, {kHowHeader, mark.how}};
}

std::optional<Mark> read_mark(const kafka::Message& message) {
  const auto done = message.header(kDoneHeader);
  if (!done) return std::nullopt;
  const auto dash = std::min(done->find('-'), done->size());
  const auto first = parse_number<int64_t>(done->substr(0, dash));
  const auto last = parse_number<int64_t>(done->substr(std::min(dash + 1, done->size())));
  if (!first || !last) return std::nullopt;
  return Mark{Offset(*first), Offset(*last), message.header(kHowHeader).value_or("")};
}

Letter read_letter(const kafka::Message& message) {
  const auto text = [&](const char* name) { return message.header(name).value_or(""); };
  return {.stage = text(kStageHeader),
          .binding = text(kBindingHeader),
          .topic = text(kTopicHeader),
          .partition = Partition(parse_number<int32_t>(text(kPartitionHeader)).value_or(0)),
          .offset = Offset(parse_number<int64_t>(text(kOffsetHeader)).value_or(0)),
          .log = text(kLogHeader),
          .reason = text(kReasonHeader),
          .key = message.key,
          .value = message.value};
}

}  // namespace searchsync::dead_letters
