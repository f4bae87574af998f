#include "operator/plan/table_names.h"

#include <algorithm>

#include "lib/base/hash.h"

namespace searchsync::plan {
namespace {

constexpr std::string_view kPublic = "public";
constexpr size_t kHashDigits = 12;

bool is_plain_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Names of which replacing _ by - loses nothing: no - of their own, and no two _ together.
bool is_plain(std::string_view name) {
  const auto fits = [](char c) { return is_plain_letter(c) || c == '_'; };
  return !name.empty() && std::ranges::all_of(name, fits) && !name.starts_with('_') &&
         !name.ends_with('_') && name.find("__") == std::string_view::npos;
}

std::string joined(std::string_view prefix, const TableName& table) {
  std::string name = std::string(prefix) + "-";
  if (table.schema != kPublic) name += slug(table.schema) + "--";
  return name + slug(table.table);
}

}  // namespace

std::string to_string(const TableName& name) {
  return name.schema + "." + name.table;
}

std::string slug(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (is_plain_letter(lower)) {
      out += lower;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (out.ends_with('-')) out.pop_back();
  return out;
}

std::string path_name(const TableName& table) {
  return table.schema == kPublic ? table.table : to_string(table);
}

std::string hashed_name(std::string_view prefix, const TableName& table, size_t bytes_max) {
  constexpr size_t kSuffix = 3 + kHashDigits;
  std::string name = joined(prefix, table).substr(0, bytes_max - kSuffix);
  while (name.ends_with('-')) name.pop_back();
  const std::string whole = std::string(prefix) + "/" + to_string(table);
  return name + "---" + stable_hash_hex(whole, kHashDigits);
}

std::string derived_name(std::string_view prefix, const TableName& table, size_t bytes_max) {
  std::string name = joined(prefix, table);
  const bool plain = is_plain(table.table) && is_plain(table.schema) && name.size() <= bytes_max;
  return plain ? name : hashed_name(prefix, table, bytes_max);
}

bool matches(std::string_view pattern, std::string_view name) {
  // The last * that was met, and how much of the name it stands for.
  size_t star = std::string_view::npos;
  size_t taken = 0;
  size_t p = 0;
  size_t n = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace searchsync::plan
