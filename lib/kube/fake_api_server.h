#pragma once

// An API server for tests, in memory: a pure function of its seed and of the times it is told.
//
// What it keeps: objects of the types it serves, with the whole history, one revision for all;
// resourceVersion conflicts, preconditions, finalizers, generation, the status subresource, field
// owners of server-side apply (a list is one field). Selectors: equality and existence of labels,
// metadata.name and metadata.namespace. Not modelled: schemas, defaults, admission, RBAC, garbage
// collection by owner, JSON patch, managedFields, strategic merge.
//
// Fault model, of streams (open and pull). A request may be refused (429 or 503 with Retry-After,
// 500, 504), hang without an answer, or lose its connection. A list's body may be cut, with or
// without an error of the connection; a continue token may have expired. A watch may end at any
// byte, cleanly or not, hang, be slow, end by an ERROR event of 410 or 500, contain a line that is
// no event or has no end, send events twice. Its server may be behind: it sends nothing that is
// newer than a while ago. History may be compacted: then a watch from before is refused by 410, or
// begins with an ERROR event.
//
// Stricter than the real one: bookmarks come only each minute, pieces are cut anywhere, items of
// lists never have apiVersion and kind, tokens expire at once when history is compacted, a list at
// resourceVersion 0 may show any old state; and what a client must not do is a violation.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "lib/http/client.h"
#include "lib/kube/resource.h"
#include "lib/kube/transport.h"

namespace searchsync::kube {

// Not thread-safe.
class FakeApiServer {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // How probable each is: of a request, or of a pull from a watch.
  struct Faults {
    double refused = 0;
    double broken = 0;
    double hangs = 0;
    double cut = 0;  // of a list: its body; of a watch: an event
    double closed = 0;
    double slow = 0;
    double expired = 0;  // of a page: its token; of a watch: by an ERROR event
    double error_event = 0;
    double garbage = 0;
    double endless_line = 0;
    double repeated = 0;
    double behind = 0;
  };

  explicit FakeApiServer(uint64_t seed);
  ~FakeApiServer();

  enum class Status { kNone, kSubresource };
  void serve(const ResourceType& type, Status status = Status::kNone);
  void set_faults(const Faults& faults);

  // Any request but a watch, carried out without fault.
  http::ClientResponse handle(const http::ClientRequest& request);

  // What others do. object: JSON. Writing what is there already changes nothing.
  void put(const ResourceType& type, const ObjectKey& key, std::string_view object);
  void remove(const ResourceType& type, const ObjectKey& key);  // may be missing
  uint64_t revision() const;
  void compact(uint64_t revision);  // forgets the history before it

  struct Selection {
    ResourceType type;
    std::string namespace_;  // empty: all
    std::string labels;      // a selector
  };
  using Versions = std::map<ObjectKey, std::string>;  // the resourceVersion of each object
  Versions versions(const Selection& of) const;
  // The first revision from `since` on at which the objects were these; nothing if there is none.
  std::optional<uint64_t> when(const Selection& of, const Versions& objects, uint64_t since) const;
  // Whether an object was ever written with this resourceVersion.
  bool had(const ResourceType& type, const ObjectKey& key, std::string_view version) const;

  using StreamId = uint64_t;
  // A GET whose answer comes little by little.
  StreamId open(const http::ClientRequest& request, Time now);
  enum class State { kOpen, kEnded, kBroken };
  struct Piece {
    int status = 0;
    std::string retry_after;
    std::string bytes;
    State state = State::kOpen;
  };
  Piece pull(StreamId id, Time now);
  void close(StreamId id);

  uint64_t requests() const;
  // What a client did that it must not; empty: nothing.
  const std::string& violation() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

// The way to it without sockets, for tests of what is above Client. Thread-safe as long as nobody
// else uses the server.
class FakeTransport final : public Transport {
 public:
  explicit FakeTransport(FakeApiServer& server) : server_(server) {}

  Result<http::ClientResponse> send(const http::ClientRequest& request) override {
    const std::lock_guard lock(mutex_);
    if (cut_off_) return fail(ErrorCode::kUnavailable, "the server is cut off");
    return server_.handle(request);
  }
  void cut_off(bool now) {
    const std::lock_guard lock(mutex_);
    cut_off_ = now;
  }

 private:
  FakeApiServer& server_;
  std::mutex mutex_;
  bool cut_off_ = false;  // guarded by mutex_
};

}  // namespace searchsync::kube
