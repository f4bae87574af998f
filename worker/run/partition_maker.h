#pragma once

// Makes partitions of an index that documents are for and that nobody has made in time: those of
// late events, and of a first load. Gives those their fields that somebody has made who did not
// know them yet. See docs/decisions/0009-time-partitions.md.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "lib/base/backoff.h"
#include "lib/base/bounded_queue.h"
#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/http/client.h"
#include "lib/model/period.h"
#include "worker/run/document_queue.h"

namespace searchsync::worker {

// One at a time, and each only while the generation's own index is there: so a worker that outlives
// its generation leaves nothing behind. Not thread-safe.
class PartitionMaker {
 public:
  struct Options {
    IndexName generation;
    model::Every every = model::Every::kDay;
    std::function<Result<std::string>(const IndexName&)> body;  // that creates it
    std::string fields;                                         // the body that adds its fields
    std::chrono::milliseconds timeout{30'000};                  // of each request
  };

  // Has one request in flight at a time. `client` outlives this.
  PartitionMaker(Options options, http::AsyncClient& client, uint64_t seed);

  // The write alias of a partition.
  std::string write_alias(model::Period period) const;
  // It is not there. It will be made, unless it already is being made.
  void want(model::Period period) { wanted_.insert(period); }
  // It has refused a document, sent at that time: perhaps for a field that it does not have.
  // Whether that is to be tried again: false if it had been given all that it takes before.
  bool equip(model::Period period, Clock::time_point sent);
  // Goes on with what is to be made.
  void step(Clock::time_point now);
  // Why a partition cannot be made at present; empty: all is well.
  const std::string& trouble() const { return trouble_; }
  bool idle() const { return wanted_.empty() && lacking_.empty(); }

 private:
  enum class Asked { kGeneration, kPartition, kFields };
  struct Arrived {
    Asked asked = Asked::kGeneration;
    Result<http::ClientResponse> response;
  };

  void create(Clock::time_point now);
  void add_fields();
  // False if the client is busy.
  bool submit(http::ClientRequest request, Asked asked);
  void finish(const Arrived& arrived, Clock::time_point now);
  void finish_fields(const http::ClientResponse& response, Clock::time_point now);
  void done();
  void give_up(std::string why, Clock::time_point now);

  const Options options_;
  http::AsyncClient& client_;
  Backoff backoff_;
  std::set<model::Period> wanted_;
  std::set<model::Period> lacking_;       // are to be given fields
  std::optional<model::Period> current_;  // of either: is being seen to
  // When they had been given fields, as far as the engine lets them.
  std::map<model::Period, Clock::time_point> equipped_;
  Clock::time_point not_before_;
  std::string trouble_;

  // Completions arrive on the client's thread, which may outlive this object.
  const std::shared_ptr<BoundedQueue<Arrived>> arrived_;
};

}  // namespace searchsync::worker
