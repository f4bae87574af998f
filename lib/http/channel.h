#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

namespace searchsync::http {

class TlsContext;

using Deadline = std::chrono::steady_clock::time_point;

// The bytes of a connected socket, plain or encrypted. It owns the socket and closes it. Not
// thread-safe, but that any thread may shut the socket down.
class Channel {
 public:
  virtual ~Channel() = default;

  // What there is, at least one byte; 0 at the end, -1 if there is nothing in time, or a fault.
  virtual ssize_t read(char* to, size_t size, Deadline deadline) = 0;
  // False if the other side does not take all of it in time.
  virtual bool write(std::string_view bytes, Deadline deadline) = 0;
  // Whether there is more to read, or the end of it, before the deadline.
  virtual bool wait(Deadline deadline) = 0;

  int socket() const { return socket_; }

 protected:
  explicit Channel(int socket) : socket_(socket) {}
  const int socket_;
};

std::unique_ptr<Channel> plain_channel(int socket);
// Shakes hands. Null, and the socket closed, if that fails or takes too long.
std::unique_ptr<Channel> tls_channel(int socket, const TlsContext& tls, Deadline deadline);

}  // namespace searchsync::http
