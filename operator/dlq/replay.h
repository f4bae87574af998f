#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/kafka/admin.h"
#include "lib/model/pipeline.h"
#include "lib/model/resources.h"
#include "operator/dlq/append.h"
#include "operator/dlq/kept_letter.h"
#include "operator/dlq/source_check.h"

namespace searchsync::dlq {

struct Outcome {
  enum class Kind {
    kReplayed,
    kOlder,  // something newer is there: nothing is to be done
    kKept,   // it cannot be replayed: it stays
  };
  dead_letters::Place place;
  Kind kind = Kind::kKept;
  std::string why;  // not of kReplayed
};

// Puts what was given up on to where it would be now had it been accepted then: a source's record
// as its row, with the position it had, into the document log; a document by having it built and
// written again, as it is now. Whatever is newer wins. See
// docs/decisions/0005-replaying-dead-letters.md.
class Replay {
 public:
  // All outlive this. `bindings` are those of the index.
  Replay(const kafka::ClientConfig& config, kafka::Admin& admin, const model::SearchIndex& index,
         const std::vector<model::SourceBinding>& bindings)
      : config_(config), admin_(admin), index_(index), bindings_(bindings) {}

  // One outcome each, in the order of the letters. When it returns all is in the log.
  // Errors: kNotFound if nothing is built from these resources; Kafka's: some may be in the log.
  Result<std::vector<Outcome>> run(const std::vector<KeptLetter>& letters);

 private:
  struct Checked {
    SourceCheck check;
    Offset begin;  // of the partition
    Offset end;
  };

  Result<int32_t> log_partitions();
  // Why a letter cannot be replayed, whatever its source says. Nothing: it can.
  std::optional<std::string> refuse(const KeptLetter& letter) const;
  const model::SourceBinding* binding(const KeptLetter& letter) const;
  Result<void> check_sources(const std::vector<KeptLetter>& letters);
  Result<void> check_partition(const kafka::TopicPartition& partition, Checked& checked);
  void take(const KeptLetter& letter, const SourceCheck::Verdict& verdict, Outcome& outcome);
  void send(worker::MessageKind kind, model::BindingId binding, const SourceCheck::Row& row);

  const kafka::ClientConfig& config_;
  kafka::Admin& admin_;
  const model::SearchIndex& index_;
  const std::vector<model::SourceBinding>& bindings_;

  model::Pipeline pipeline_;
  std::string log_;
  int32_t partitions_ = 0;
  std::vector<Outcome> outcomes_;
  std::vector<Outgoing> outgoing_;
};

}  // namespace searchsync::dlq
