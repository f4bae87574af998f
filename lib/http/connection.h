#pragma once

#include <chrono>
#include <memory>

#include "lib/http/channel.h"

namespace httplib {
class Stream;
}

namespace searchsync::http {

// A connection as httplib wants to see it.
//
// httplib 0.11.4's own stream sends the headers and the body of a response each in a call of its
// own, sleeps for a millisecond now and then while it waits for the next request, and lets a
// request take as long as a byte comes now and then. This one sends a response at once, waits in
// poll(2), and gives each request a time in which all of it must have come.
class Connection {
 public:
  struct Timeouts {
    std::chrono::milliseconds read;     // from one byte to the next
    std::chrono::milliseconds request;  // from the first byte to the last
    std::chrono::milliseconds write;    // of all of a response
  };

  Connection(std::unique_ptr<Channel> channel, Timeouts timeouts);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  httplib::Stream& stream();

  // Whether there is a next request, or the end, within `timeout`. The request's time begins.
  bool wait(std::chrono::milliseconds timeout);
  // Sends what was written. False if the other side does not take it in time.
  bool flush();

 private:
  class SocketStream;
  std::unique_ptr<SocketStream> stream_;
};

}  // namespace searchsync::http
