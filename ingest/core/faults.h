#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace searchsync::ingest {

// One thing wrong with an event.
struct Fault {
  size_t place = 0;    // of the event in the request
  std::string field;   // empty: the event as a whole
  std::string reason;  // what is wrong, and what should be there
  friend bool operator==(const Fault&, const Fault&) = default;
};

// What is wrong with the events of one request: which events, all of them; and why, as far as a
// person still reads.
class Faults {
 public:
  static constexpr size_t kMax = 50;

  void add(size_t place, std::string_view field, std::string reason);

  bool empty() const { return places_.empty(); }
  bool full() const { return list_.size() >= kMax; }
  const std::vector<Fault>& list() const { return list_; }       // at most kMax
  const std::vector<size_t>& places() const { return places_; }  // rising, none twice

 private:
  std::vector<Fault> list_;
  std::vector<size_t> places_;
};

}  // namespace searchsync::ingest
