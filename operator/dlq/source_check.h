#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/named.h"
#include "lib/model/resources.h"
#include "operator/dlq/kept_letter.h"
#include "worker/core/decode.h"

namespace searchsync::dlq {

// What a record that could not be read once says now, and whether it is still the last word of its
// source on its row: read() is given the source's partition, from the first of the records to the
// end, and verdict() answers.
//
// That the record is there, with nothing newer behind it, is the proof that replaying it gives what
// reading the source anew would give. See docs/decisions/0005-replaying-dead-letters.md. Pure.
class SourceCheck {
 public:
  // Those of one partition of one topic. `letters` outlive this.
  struct Subject {
    const KeptLetter* letter = nullptr;
    const model::SourceBinding* binding = nullptr;
  };
  explicit SourceCheck(const std::vector<Subject>& subjects);
  ~SourceCheck();
  SourceCheck(SourceCheck&&) noexcept;

  Offset first() const;

  // Records in order of offset.
  void read(Offset offset, std::optional<std::string_view> key,
            std::optional<std::string_view> value, int64_t timestamp_ms);

  enum class Kind {
    kNewest,   // `row` is what it says
    kSilent,   // it is read now, and says nothing about any row
    kOlder,    // something newer is there, or has been: why
    kRefused,  // it still cannot be read: why
    kUnknown,  // nobody can say what came after it: why
  };
  struct Row {
    std::string key;
    worker::Position position;
    uint64_t changed_at_us = 0;
    std::optional<std::string> row;
  };
  struct Verdict {
    Kind kind = Kind::kUnknown;
    std::string why;
    Row row;
  };
  // begin: the first offset that the partition still has; end: of the one that is written next.
  std::vector<Verdict> verdicts(Offset begin, Offset end) const;  // in order of the subjects

 private:
  struct Found;
  struct Reader;  // of one binding

  std::vector<Found> found_;  // by subject
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace searchsync::dlq
