#pragma once

// Folds one partition of the document log into its state: the rows it owns, the children and copies
// of other rows that its documents need, and the edges that say which documents a row concerns.
//
// Pure: reads and writes one Store, and returns what has to be sent and which documents changed.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/pipeline.h"
#include "worker/core/build.h"
#include "worker/core/keys.h"
#include "worker/core/message.h"
#include "worker/core/place.h"
#include "worker/core/store.h"
#include "worker/core/tuple.h"

namespace searchsync::worker {

// The partition of the document log that owns a row; a root's is that of its document.
Partition partition_of(BindingId binding, std::string_view key, int32_t partitions);

struct Send {
  Partition partition;
  EncodedMessage message;
};

// The older of two times, of which 0 is unknown.
inline uint64_t older(uint64_t a, uint64_t b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

// Documents to be written, each once, in the order in which they were first touched.
class TouchedRoots {
 public:
  struct Touch {
    std::string root;
    uint64_t changed_at_us = 0;  // of the oldest change; 0 if unknown
  };

  void add(std::string_view root, uint64_t changed_at_us);
  const std::vector<Touch>& all() const { return touches_; }
  bool empty() const { return touches_.empty(); }

 private:
  std::vector<Touch> touches_;
  std::unordered_map<std::string, size_t> places_;
};

struct Effects {
  std::vector<Send> sends;
  TouchedRoots touched;
  bool fan_outs_changed = false;  // Fold::fan_outs()
};

// A change of a looked-up row, on its way to the documents that use it. A change that comes while
// an older one is under way is followed after it, from the first edge: so that the last documents
// are reached however often the row changes.
struct FanOut {
  BindingId binding = 0;
  std::string key;
  Offset since;   // of the change under way
  Offset newest;  // of the last change that came
  uint64_t changed_at_us = 0;
  std::optional<Offset> again;  // of the oldest change after the one under way
  std::string cursor;           // the last edge that was followed
};

class Fold : public RowReader {
 public:
  struct Options {
    Partition partition;
    int32_t partitions = 1;
    // Edges that one change follows at once; the rest are left to fan_out().
    size_t inline_edges_max = 32;
  };

  // `pipeline` and `store` outlive the fold.
  Fold(const model::Pipeline& pipeline, Options options, Store& store);

  // Of what a message causes, what is wanted: neither where it is known to be done.
  struct Duties {
    bool sends = true;    // no other generation leads
    bool touches = true;  // the generation has begun to write
    bool moves = true;    // a document may still be where this message takes it from
  };

  // Applies one message of a row; appends what it causes to `effects`. Errors: kMalformed: a row
  // that cannot be read. No document shows it then, but what it refers to stays known: what is sent
  // depends on the log alone, never on the fields of one generation.
  Result<void> apply(Offset offset, const Message& message, Duties duties, Effects& effects);

  // Follows up to `limit` edges of a change that is under way, as fan_outs() says.
  void fan_out(const FanOut& change, size_t limit, Effects& effects);
  std::vector<FanOut> fan_outs() const;
  // Forgets the changes before `done`, whose documents are written.
  void drop_fan_outs(Offset done);
  // Touches up to `limit` roots after `cursor`, in order of key, and moves it. False if it was the
  // last.
  bool touch_roots(size_t limit, std::string& cursor, Effects& effects);

  // The places that a document has left, of a partitioned index; forgets those before `done`, which
  // it has been deleted from.
  std::vector<Place> left(std::string_view root, Offset done);

  // Of up to `limit` roots after `cursor`, in order of key, has those deleted from the log whose
  // place is older than `oldest`; moves the cursor. False if it was the last. A deletion has the
  // position of the row that it deletes: at equal positions it wins, and any other change does over
  // it.
  bool send_expired(size_t limit, model::Period oldest, std::string& cursor, Effects& effects);

  Known root(std::string_view key, std::string& tuple) override;
  Known lookup(BindingId binding, std::string_view key, std::string& tuple) override;
  void children(
      std::string_view root,
      FunctionRef<void(BindingId, uint8_t, std::string_view, std::string_view)> visit) override;

 private:
  // A stored row. Of a row owned here the JSON is kept, to say it again; the tuple is kept where
  // the fold reads it: not of the rows that others look up.
  struct Held {
    Position position;
    bool present = false;
    bool refused = false;  // present, but its values cannot be shown
    bool asked = false;    // to be said (again): the answer will come behind what is read by now
    std::string tuple;
    std::string json;
    bool shown() const { return present && !refused; }
  };

  Result<void> apply_row(Offset offset, const Message& message, Effects& effects);
  Result<void> apply_child(Offset offset, const Message& message, Effects& effects);
  void apply_subscribe(Offset offset, const Message& message, Effects& effects);
  Result<void> apply_lookup(Offset offset, const Message& message, Effects& effects);
  void apply_repeat(Offset offset, const Message& message, Effects& effects);

  bool read(std::string_view state_key, Held& held);
  static void parse(std::string_view bytes, Held& held);
  void write(std::string_view state_key, const Held& held);
  Result<void> project(const Message& message, Held& held);
  // Notes a message that is not newer than what is held. True if it came late and the newer one has
  // to be said again behind it, since compaction would keep only the late one; false if somebody
  // else sees to that, or if it is on its way.
  bool came_late(const Message& message, std::string_view state_key, Held& held);
  void repeat_row(const Message& late, const Held& held, Effects& effects);
  void answer_subscribers(Offset offset, const Message& message, Effects& effects);
  void send_to_parents(Offset offset, const Message& message, const Held& before, const Held& after,
                       Effects& effects);
  void leave(Offset offset, std::string_view root, const Held& before, const Held& after);
  std::optional<Place> place_of(const Held& root) const;
  void touch(std::string_view root, uint64_t changed_at_us, Effects& effects);
  void send(Partition to, const Message& message, Effects& effects);
  void move_edges(const Holder& holder, const Held* before, const Held& after, Effects& effects);
  void subscribe(BindingId target, std::string_view key, Effects& effects);
  void add_edge(BindingId target, std::string_view key, const Holder& holder, Effects& effects);
  // Touches the documents that use a row; what is beyond `budget` edges is left to fan_out().
  void touch_users(const FanOut& change, size_t& budget, Effects& effects);
  // Follows the edges of a row after change.cursor. False, with the place in `cursor`, if the
  // budget ran out first.
  bool follow(const FanOut& change, size_t& budget, std::string& cursor, Effects& effects);
  bool is_looked_up(BindingId binding) const;

  const model::Pipeline& pipeline_;
  const Options options_;
  Store& store_;
  const StateKeys keys_;
  bool root_looked_up_ = false;
  Duties duties_;                      // of the message that is being applied
  std::vector<Projector> projectors_;  // by BindingId
  std::string buffer_;
};

}  // namespace searchsync::worker
