#include "lib/model/fault.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

namespace searchsync::model {
namespace {

// Letters and digits only, in lower case: what remains of a name when its style is ignored.
std::string without_style(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if (c != '_' && c != '-' && c != ' ') {
      out += c;
    }
  }
  return out;
}

// Levenshtein's edit distance.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above + 1, row[j - 1] + 1, replaced});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string to_string(const Fault& fault) {
  std::string out;
  if (!fault.file.empty()) out += fault.file + ":";
  if (fault.line > 0) out += fmt::format("{}:{}:", fault.line, fault.column);
  if (!out.empty()) out += ' ';
  if (!fault.object.empty()) out += fault.object + ": ";
  if (!fault.path.empty()) out += fault.path + ": ";
  return out + fault.message;
}

std::string to_string(const std::vector<Fault>& faults) {
  std::string out;
  for (const Fault& fault : faults) {
    if (!out.empty()) out += '\n';
    out += to_string(fault);
  }
  return out;
}

void sort(std::vector<Fault>& faults) {
  const auto order = [](const Fault& fault) {
    return std::tie(fault.file, fault.line, fault.column, fault.object, fault.path, fault.message);
  };
  std::sort(faults.begin(), faults.end(),
            [&](const Fault& a, const Fault& b) { return order(a) < order(b); });
}

std::string did_you_mean(std::string_view written, const std::vector<std::string>& known) {
  constexpr size_t kLongest = 64;
  const std::string plain = without_style(written.substr(0, kLongest));
  const std::string* best = nullptr;
  size_t best_distance = (plain.size() + 1) / 3 + 1;
  for (const std::string& name : known) {
    const size_t apart = distance(plain, without_style(name));
    if (apart < best_distance) {
      best = &name;
      best_distance = apart;
    }
  }
  return best == nullptr ? "" : fmt::format(", did you mean `{}`?", *best);
}

}  // namespace searchsync::model
