#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/base/error.h"

namespace CLI {
class App;
}

namespace searchsync::dlq {
class Desk;
}

namespace searchsync::cli {

// What a command prints, and whether it has done all that it was asked for.
struct Said {
  std::string text;
  bool whole = true;
};

// In what `searchsync dlq` and `kubectl searchsync dlq` differ.
struct DlqCommands {
  std::string called;                          // in examples: "searchsync dlq"
  std::string subject;                         // in examples: "my-index/ test-runs"
  std::function<void(CLI::App&)> add_subject;  // options that say which index
  std::function<Result<std::unique_ptr<dlq::Desk>>()> open;
  // Called when one is chosen, with what it does.
  std::function<void(std::function<Result<Said>()>)> chosen;
};

// Adds list, show, replay and drop to `dlq`.
void add_dlq_commands(CLI::App& dlq, const DlqCommands& commands);

}  // namespace searchsync::cli
