#include "lib/model/leadership.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace searchsync::model {
namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kNumbers = 4;  // and as many more as led before

}  // namespace

void Leadership::pass(Generation next, Offset at) {
  if (next == leader) return;
  std::erase(before, leader);
  std::erase(before, next);
  if (before.size() == kBeforeMax) before.erase(before.begin());
  before.push_back(leader);
  leader = next;
  since = at;
}

std::string to_note(const Leadership& leadership) {
  std::string note = fmt::format("{} {} {} {}", kVersion, leadership.own.get(),
                                 leadership.leader.get(), leadership.since.get());
  for (const Generation one : leadership.before) note += fmt::format(" {}", one.get());
  return note;
}

std::optional<Leadership> parse_note(std::string_view note) {
  std::vector<int64_t> numbers;
  while (!note.empty()) {
    const std::string_view text = note.substr(0, note.find(' '));
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, numbers.emplace_back());
    if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
    note.remove_prefix(std::min(text.size() + 1, note.size()));
  }
  if (numbers.size() < kNumbers || numbers[0] != kVersion) return std::nullopt;
  const auto generation = [&numbers](size_t i) {
    return Generation(static_cast<int32_t>(numbers[i]));
  };
  Leadership read{
      .own = generation(1), .leader = generation(2), .since = Offset(numbers[3]), .before = {}};
  for (size_t i = kNumbers; i < numbers.size(); ++i) read.before.push_back(generation(i));
  return read;
}

}  // namespace searchsync::model
