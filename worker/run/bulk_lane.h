#pragma once

// Documents on their way into one index: gathered into bulk requests, sent a few at a time, each
// item's outcome handed back. What the engine pushes back comes back as an outcome too; what never
// reached it is sent again from here. While there is nothing to write, it asks now and then whether
// the index is there.

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/backoff.h"
#include "lib/base/bounded_queue.h"
#include "lib/base/function_ref.h"
#include "lib/base/named.h"
#include "lib/elastic/bulk.h"
#include "lib/http/client.h"
#include "worker/core/worker.h"
#include "worker/run/document_queue.h"
#include "worker/run/partition_maker.h"

namespace searchsync::worker {

// One document of a request.
struct BulkItem {
  QueuedDocument document;
  size_t begin = 0;                    // of its lines in the request's body
  size_t operations = 1;               // one for each place
  std::vector<model::Period> periods;  // of the operations; empty: the index is not partitioned
};

struct BulkResult {
  QueuedDocument document;
  elastic::ItemOutcome outcome;
  std::string_view lines;  // as they were sent; valid during the call
};

class BulkLane {
 public:
  struct Options {
    IndexName index;
    size_t documents_max = 1000;  // of one request
    size_t bytes_max = 5 << 20;   // of one request
    size_t fan_out_max = 250;     // documents of a fan-out in one request
    std::chrono::milliseconds delay{5};
    int requests_max = 2;                          // in flight
    std::chrono::milliseconds timeout{60'000};     // of one request; shorter than index.gc_deletes
    std::chrono::milliseconds check_every{5'000};  // while nothing is written
    // Of a partitioned index; `generation` is `index`. The client has room for one more request.
    std::optional<PartitionMaker::Options> partitions;
  };

  struct Totals {
    uint64_t requests = 0;
    uint64_t failed_requests = 0;
    uint64_t bytes = 0;
    double seconds = 0;  // of requests answered
  };

  BulkLane(Options options, http::AsyncClient& client, uint64_t seed);

  // Takes a document, even if there is no room.
  void add(QueuedDocument document, const Write& write, Clock::time_point now);
  // Whether another document would be sent without waiting for an answer first. The later it is
  // built, the newer it is. Documents of a fan-out have less room, in requests that take less long,
  // so that an urgent one always has some.
  bool has_room(Urgency urgency) const;
  // Sends what is due. Returns when to call again, if nothing else happens.
  Clock::time_point send(Clock::time_point now);
  // Hands over the outcomes that have arrived. Returns how many.
  size_t collect(Clock::time_point now, FunctionRef<void(BulkResult&&)> take);
  // Why nothing gets through at present; empty if all is well.
  const std::string& trouble() const {
    const bool making = trouble_.empty() && maker_;
    return making ? maker_->trouble() : trouble_;
  }
  bool idle() const { return gathered_.items.empty() && waiting_.empty() && in_flight_ == 0; }
  const Totals& totals() const { return totals_; }
  // The length of each request since the last call.
  std::vector<double> take_latencies();

 private:
  struct Batch {
    std::string body;
    std::vector<BulkItem> items;
    Clock::time_point since;  // when the first item came
    Clock::time_point not_before;
  };
  // Completions arrive on the client's thread, which may outlive this object.
  struct Arrived {
    Batch batch;  // without items: a check
    Result<http::ClientResponse> response;
    Clock::time_point sent;
    Clock::time_point answered;
  };

  void add_placed(BulkItem& item, const Write& write);
  // One for all its operations. As long as one of them is to be done again, all are: only then is
  // the document done, in whatever way. What is missing is made meanwhile.
  elastic::ItemOutcome outcome_of(const BulkItem& item, std::span<elastic::ItemOutcome> outcomes,
                                  Clock::time_point sent);
  bool full() const;
  void submit(Batch batch, Clock::time_point now);
  void check(Clock::time_point now);
  void finish_check(const Result<http::ClientResponse>& response);
  void retry(Batch batch, Clock::time_point now, std::string why);
  void split(Batch batch, Clock::time_point now);
  size_t finish(Arrived arrived, Clock::time_point now, FunctionRef<void(BulkResult&&)> take);

  const Options options_;
  http::AsyncClient& client_;
  Backoff backoff_;
  std::optional<PartitionMaker> maker_;
  Batch gathered_;
  std::deque<Batch> waiting_;  // to be sent again
  int in_flight_ = 0;          // of documents
  bool checking_ = false;
  Clock::time_point next_check_;
  std::string trouble_;
  Totals totals_;
  std::vector<double> latencies_;

  const std::shared_ptr<BoundedQueue<Arrived>> arrived_;
};

}  // namespace searchsync::worker
