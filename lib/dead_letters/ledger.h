#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/named.h"
#include "lib/dead_letters/letter.h"

namespace searchsync::dead_letters {

// Which letters of a topic are open: not dealt with, and still there. Each has a label, such as its
// binding. Keeps runs of letters, not letters: a million documents that an engine refuses, one
// after the other, are one run. Pure.
//
// Bounded: beyond kRunsMax runs a letter is taken to have the label of the one before it. Then
// labelled() says so; which letters are open, and how many, is right all the same. What people deal
// with one by one may make more runs, one each.
class Ledger {
 public:
  static constexpr size_t kRunsMax = 100'000;

  explicit Ledger(size_t runs_max = kRunsMax) : runs_max_(runs_max) {}

  // Letters of one partition come by rising offset.
  void add(const Place& place, std::string_view label);
  // Those from `first` to `last` are dealt with, as far as they are open.
  void remove(Partition partition, Offset first, Offset last);
  // What is before `begin` is no longer there.
  void expire(Partition partition, Offset begin);

  bool contains(const Place& place) const;
  int64_t total() const { return total_; }
  // By label; none of them is 0.
  const std::map<std::string, int64_t, std::less<>>& counts() const { return counts_; }
  int64_t count(std::string_view label) const;
  // False: there were so many runs that labels may be wrong.
  bool labelled() const { return labelled_; }

  struct Run {
    Partition partition;
    Offset first;
    Offset last;
    std::string label;
    friend bool operator==(const Run&, const Run&) = default;
  };
  // In order of place.
  std::vector<Run> runs() const;

 private:
  struct Rest {
    Offset last;
    std::string label;
  };
  using Runs = std::map<Place, Rest>;  // by first

  void count(std::string_view label, int64_t more);

  const size_t runs_max_;
  Runs runs_;
  std::map<std::string, int64_t, std::less<>> counts_;
  int64_t total_ = 0;
  bool labelled_ = true;
};

}  // namespace searchsync::dead_letters
