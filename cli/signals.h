#pragma once

#include <sys/types.h>

#include <stop_token>
#include <thread>

#include "lib/base/error.h"

namespace searchsync::cli {

// SIGTERM and SIGINT, as a stop token. The second one ends the process at once.
class Signals {
 public:
  // Blocks both in this thread, and so in all it starts: before any other thread.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  std::stop_token token() const { return stop_.get_token(); }

 private:
  void wait(const std::stop_token& done);

  std::stop_source stop_;
  int signals_ = -1;
  std::jthread thread_;
};

// Has the kernel kill this process when its parent ends. kCancelled if `parent` is its parent no
// longer.
Result<void> die_with_parent(pid_t parent);

}  // namespace searchsync::cli
