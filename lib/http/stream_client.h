#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/http/client.h"

namespace searchsync::http {

using StreamId = Named<uint64_t, struct StreamIdTag>;

// Who reads a response as it comes.
class StreamReader {
 public:
  virtual ~StreamReader() = default;

  // Part of the body, however the network cut it. head: status and headers, without a body. The
  // first call is made when these are there, without bytes.
  virtual void on_stream_bytes(StreamId id, const ClientResponse& head, std::string_view bytes) = 0;

  // The last call for this stream: the whole body has been handed over (with the head), or the
  // connection broke.
  virtual void on_stream_end(StreamId id, Result<ClientResponse> head) = 0;
};

// Any number of responses that come little by little, on the thread that calls poll(). Each has a
// connection of its own: where they share one over HTTP/2, libcurl 7.88 may leave what has come for
// one of them unread until more comes. All calls but wake() are for one thread, and none is for a
// reader to make.
//
// Errors are those of http::Client. One base URL only; nothing is sent twice.
class StreamClient {
 public:
  static Result<std::unique_ptr<StreamClient>> create(ClientOptions options);
  // Ends all streams without a call to their readers.
  ~StreamClient();
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;

  // Streams begun from now on are as `options` say; those under way go on as they began.
  Result<void> configure(ClientOptions options);

  // request.timeout: of the whole stream. `reader` must outlive it.
  StreamId start(ClientRequest request, StreamReader& reader);

  // Ends it; its reader is not called any more.
  void cancel(StreamId id);

  // Waits until something has come, for `timeout`, or until wake(), and calls the readers.
  void poll(std::chrono::milliseconds timeout);

  // Makes a poll() under way, or else the next, return at once. Thread-safe.
  void wake();

 private:
  struct Impl;
  explicit StreamClient(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::http
