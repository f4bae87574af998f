#include "operator/dlq/letter_text.h"

#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "lib/base/base64.h"
#include "lib/base/time_text.h"
#include "operator/control/table.h"
#include "operator/dlq/printable.h"

namespace searchsync::dlq {
namespace {

using json = nlohmann::ordered_json;

constexpr size_t kKeyCharacters = 40;
constexpr size_t kReasonCharacters = 160;

std::string time_of(const KeptLetter& letter) {
  const std::chrono::sys_time<std::chrono::milliseconds> at(
      std::chrono::milliseconds(letter.timestamp_ms));
  return format_time(std::chrono::floor<std::chrono::seconds>(at));
}

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : printable(text);
}

std::string source_of(const KeptLetter& letter) {
  return fmt::format("{} {}/{}", or_dash(letter.topic), letter.partition.get(),
                     letter.offset.get());
}

std::string_view meaning(std::string_view stage) {
  if (stage == dead_letters::kDecode) return "a record of the source could not be read";
  if (stage == dead_letters::kFold) return "a row does not fit the binding's fields";
  if (stage == dead_letters::kAggregate) return "an event could not be counted";
  if (stage == dead_letters::kIndex) return "the search engine refused a document";
  return "this record was not written by SearchSync";
}

std::string counts(const Listing& listing) {
  if (listing.total == 1) return "1 dead letter\n";
  std::string text = fmt::format("{} dead letters", listing.total);
  std::string_view separator = ": ";
  for (const auto& [binding, count] : listing.by_binding) {
    text += fmt::format("{}{} of {}", separator, count,
                        binding.empty() ? "whole documents" : printable(binding));
    separator = ", ";
  }
  const auto shown = static_cast<int64_t>(listing.letters.size());
  if (shown < listing.total) text += fmt::format("; these are the newest {} (--limit)", shown);
  return text + "\n";
}

json heading(const KeptLetter& letter) {
  return {{"position", to_string(letter.place)},
          {"time", time_of(letter)},
          {"stage", letter.stage},
          {"binding", letter.binding},
          {"source",
           {{"topic", letter.topic},
            {"partition", letter.partition.get()},
            {"offset", letter.offset.get()}}},
          {"log", letter.log},
          {"reason", letter.reason}};
}

void add_bytes(const std::string& name, const std::optional<std::string>& bytes, json& object) {
  if (!bytes) return;
  try {
    (void)json(*bytes).dump();
    object[name + "Text"] = *bytes;
  } catch (const json::exception&) {
    object[name + "Base64"] = encode_base64(*bytes);
  }
}

std::string dump(const json& object) {
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string to_table(const Listing& listing) {
  if (listing.total == 0) return "there are no dead letters\n";
  std::vector<std::vector<std::string>> rows = {
      {"POSITION", "TIME", "STAGE", "BINDING", "SOURCE", "KEY", "REASON"}};
  for (const auto& letter : listing.letters) {
    rows.push_back({to_string(letter.place), time_of(letter), or_dash(letter.stage),
                    or_dash(letter.binding), source_of(letter),
                    letter.key ? excerpt(*letter.key, kKeyCharacters) : "-",
                    excerpt(letter.reason, kReasonCharacters)});
  }
  return control::table(rows) + counts(listing);
}

std::string to_json(const Listing& listing) {
  json letters = json::array();
  for (const auto& letter : listing.letters) {
    json one = heading(letter);
    add_bytes("key", letter.key, one);
    letters.push_back(std::move(one));
  }
  json by_binding = json::object();
  for (const auto& [binding, count] : listing.by_binding) by_binding[binding] = count;
  return dump(
      {{"total", listing.total}, {"byBinding", by_binding}, {"letters", std::move(letters)}});
}

std::string to_text(const KeptLetter& letter) {
  std::string text;
  const auto line = [&](std::string_view name, std::string_view value) {
    text += fmt::format("{:<10}{}\n", name, value);
  };
  line("position", to_string(letter.place));
  line("time", time_of(letter));
  line("stage", fmt::format("{}: {}", or_dash(letter.stage), meaning(letter.stage)));
  line("binding", or_dash(letter.binding));
  line("source", fmt::format("topic {} partition {} offset {}", or_dash(letter.topic),
                             letter.partition.get(), letter.offset.get()));
  line("log", or_dash(letter.log));
  line("reason", printable(letter.reason));
  line("key", letter.key ? printable(*letter.key) : "none");
  if (!letter.value) {
    line("value", "none");
    return text;
  }
  line("value", fmt::format("{} bytes", letter.value->size()));
  const auto indented = pretty_json(*letter.value);
  if (!indented) return text + printable(*letter.value) + "\n";
  for (std::string_view rest = *indented; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    text += printable(rest.substr(0, end), Backslash::kAsItIs) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return text;
}

std::string to_json(const KeptLetter& letter) {
  json object = heading(letter);
  add_bytes("key", letter.key, object);
  add_bytes("value", letter.value, object);
  return dump(object);
}

}  // namespace searchsync::dlq
