#include "operator/dlq/source_check.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/check.h"

namespace searchsync::dlq {

using Text = std::optional<std::string_view>;

struct SourceCheck::Found {
  const KeptLetter* letter = nullptr;
  bool seen = false;
  bool same = false;                 // as the letter, byte for byte
  std::optional<std::string> fault;  // why it cannot be read
  std::optional<Row> row;
  std::optional<Offset> newer;  // a record that says something newer about the row
};

struct SourceCheck::Reader {
  const model::SourceBinding* binding = nullptr;
  worker::Decoder decoder;
  std::multimap<Offset, size_t> subjects;                      // in found_
  std::multimap<std::string, size_t, std::less<>> by_row_key;  // of those that were read
};

SourceCheck::SourceCheck(const std::vector<Subject>& subjects) {
  CHECK(!subjects.empty());
  for (const auto& [letter, binding] : subjects) {
    auto reader = std::ranges::find(readers_, binding, [](const auto& r) { return r->binding; });
    if (reader == readers_.end()) {
      readers_.push_back(std::unique_ptr<Reader>(
          new Reader{.binding = binding, .decoder = worker::Decoder(*binding)}));
      reader = std::prev(readers_.end());
    }
    (*reader)->subjects.emplace(letter->offset, found_.size());
    found_.push_back({.letter = letter});
  }
}

SourceCheck::~SourceCheck() = default;
SourceCheck::SourceCheck(SourceCheck&&) noexcept = default;

Offset SourceCheck::first() const {
  return std::ranges::min_element(found_, {}, [](const auto& f) { return f.letter->offset; })
      ->letter->offset;
}

void SourceCheck::read(Offset offset, Text key, Text value, int64_t timestamp_ms) {
  for (auto& reader : readers_) {
    const auto [begin, end] = reader->subjects.equal_range(offset);
    if (begin == end && reader->by_row_key.empty()) continue;
    const auto decoded = reader->decoder.decode(key, value, offset, timestamp_ms);
    if (decoded && *decoded) {
      const auto [older, last] = reader->by_row_key.equal_range((*decoded)->key);
      for (auto at = older; at != last; ++at) {
        auto& found = found_[at->second];
        if (found.row->position < (*decoded)->position) found.newer = offset;
      }
    }
    for (auto at = begin; at != end; ++at) {
      auto& found = found_[at->second];
      found.seen = true;
      found.same = found.letter->key == key && found.letter->value == value;
      if (!decoded) {
        found.fault = decoded.error().message;
      } else if (const auto& row = *decoded) {
        found.row = {.key = std::string(row->key),
                     .position = row->position,
                     .changed_at_us = row->changed_at_us,
                     .row = row->row.transform([](auto text) { return std::string(text); })};
        reader->by_row_key.emplace(found.row->key, at->second);
      }
    }
  }
}

std::vector<SourceCheck::Verdict> SourceCheck::verdicts(Offset begin, Offset end) const {
  std::vector<Verdict> all;
  for (const auto& found : found_) {
    const auto place = fmt::format("offset {} of {}/{}", found.letter->offset.get(),
                                   found.letter->topic, found.letter->partition.get());
    if (!found.seen && found.letter->offset < begin) {
      all.push_back({Kind::kUnknown,
                     fmt::format("{} is no longer kept, nor perhaps what came after it", place),
                     {}});
    } else if (!found.seen && found.letter->offset < end) {
      // Compaction takes a record only when there is a newer one of its key, or was: a deletion
      // goes after all that is before it.
      all.push_back({Kind::kOlder, place + " was compacted away: a newer one came", {}});
    } else if (!found.seen || !found.same) {
      all.push_back(
          {Kind::kUnknown, place + " is another record now, or none: the topic was made anew", {}});
    } else if (found.fault) {
      all.push_back({Kind::kRefused, *found.fault, {}});
    } else if (!found.row) {
      all.push_back({Kind::kSilent, "", {}});
    } else if (found.newer) {
      all.push_back(
          {Kind::kOlder, fmt::format("offset {} is newer", found.newer->get()), *found.row});
    } else {
      all.push_back({Kind::kNewest, "", *found.row});
    }
  }
  return all;
}

}  // namespace searchsync::dlq
