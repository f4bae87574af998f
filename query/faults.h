#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace searchsync::query {

// One thing wrong with a request.
struct Fault {
  std::string path;      // "filter.and[2].range.gte"; empty: the body as a whole
  std::string expected;  // what should be there, or what to do instead
  friend bool operator==(const Fault&, const Fault&) = default;
};

// All that is wrong with one request, up to a number that a person still reads.
class Faults {
 public:
  void add(std::string_view path, std::string expected);
  // What is asked is right, and cannot be answered as things are.
  void refuse(std::string_view path, std::string why);
  bool refused() const { return refused_; }
  bool empty() const { return list_.empty(); }
  const std::vector<Fault>& list() const { return list_; }

 private:
  static constexpr size_t kMax = 50;
  std::vector<Fault> list_;
  bool refused_ = false;
};

// The body of the answer:
// {"error":{"code":"invalid_request"|"relation_unusable","message":…,
//           "faults":[{"path","expected"}]}}.
std::string render(const Faults& faults);

}  // namespace searchsync::query
