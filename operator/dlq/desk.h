#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/function_ref.h"
#include "lib/dead_letters/tally.h"
#include "lib/kafka/admin.h"
#include "lib/kafka/read_ranges.h"
#include "lib/model/resources.h"
#include "lib/model/secrets.h"
#include "operator/dlq/letter_text.h"
#include "operator/dlq/replay.h"

namespace searchsync::dlq {

// Which letters: those at these places, or all, or all of a binding ("": of whole documents).
struct Selection {
  std::vector<dead_letters::Place> places;
  std::optional<std::string> binding;
};

// As much as one replay takes.
inline constexpr size_t kReplayMax = 10'000;
inline constexpr size_t kReplayBytesMax = 64 << 20;

struct Replayed {
  std::vector<Outcome> outcomes;  // in order of place
  int64_t left = 0;               // that were selected, and were too many for one time
};

// The open dead letters of one SearchIndex, as of when it was opened. Every call but open() blocks
// for as long as Kafka takes. Not thread-safe.
class Desk {
 public:
  // Reads the whole dead-letter topic once. Errors: kUnavailable naming the brokers; those of the
  // secrets; kNotFound if nothing has been run from the resources yet.
  static Result<std::unique_ptr<Desk>> open(model::SearchIndex index,
                                            std::vector<model::SourceBinding> bindings,
                                            const model::SecretStore& secrets);

  // The newest, at most `limit`. Errors: kNotFound if there is no such binding.
  Result<Listing> list(const std::optional<std::string>& binding, size_t limit);
  // Errors: kNotFound if none is open there.
  Result<KeptLetter> show(const dead_letters::Place& place);
  // Those that were replayed, and those that something newer has made useless, are open no more.
  Result<Replayed> replay(const Selection& selection);
  // Returns how many there were.
  Result<int64_t> drop(const Selection& selection);

 private:
  using Run = dead_letters::Ledger::Run;

  Desk(model::SearchIndex index, std::vector<model::SourceBinding> bindings,
       kafka::ClientConfig config, std::unique_ptr<kafka::Admin> admin);
  Result<void> read_topic();
  Result<void> check_binding(const std::string& binding) const;
  // What is selected, in order of place.
  Result<std::vector<Run>> select(const Selection& selection) const;
  // Visits letters, those of one partition in order, until `visit` says that it is enough.
  Result<void> read(const std::vector<Run>& runs,
                    FunctionRef<kafka::Reading(KeptLetter letter)> visit);
  Result<void> mark(const std::vector<Run>& runs, std::string_view how);

  const model::SearchIndex index_;
  const std::vector<model::SourceBinding> bindings_;
  const kafka::ClientConfig config_;
  const std::unique_ptr<kafka::Admin> admin_;
  const std::string topic_;
  dead_letters::Tally tally_;
};

}  // namespace searchsync::dlq
