#pragma once

#include <chrono>
#include <memory>

namespace httplib {
class Stream;
}

namespace searchsync::http {

// A connected socket as httplib wants to see it. It owns the socket and closes it.
//
// httplib 0.11.4's own stream sends the headers and the body of a response each in a call of its
// own, and sleeps for a millisecond now and then while it waits for the next request. This one
// sends a response at once and waits in poll(2).
class Connection {
 public:
  struct Timeouts {
    std::chrono::milliseconds read;
    std::chrono::milliseconds write;
  };

  Connection(int socket, Timeouts timeouts);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  httplib::Stream& stream();

  // Whether there is more to read, or the end of it, within `timeout`.
  bool wait(std::chrono::milliseconds timeout);
  // Sends what was written. False if the other side does not take it in time.
  bool flush();

 private:
  class SocketStream;
  std::unique_ptr<SocketStream> stream_;
};

}  // namespace searchsync::http
