#include "lib/http/connection.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace searchsync::http {
namespace {

using std::chrono::milliseconds;

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kWriteBytesMax = 256 << 10;  // more than this is sent before the response is whole

bool wait_for(int socket, short events, milliseconds timeout) {
  pollfd entry{.fd = socket, .events = events, .revents = 0};
  for (;;) {
    const int ready = ::poll(&entry, 1, static_cast<int>(timeout.count()));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

// The numeric address and port that `get` (getpeername, getsockname) says.
template <class Get>
void address_of(int socket, Get get, std::string& ip, int& port) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  if (get(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host.data(), host.size(),
                  service.data(), service.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return;
  }
  ip = host.data();
  port = std::atoi(service.data());
}

}  // namespace

class Connection::SocketStream final : public httplib::Stream {
 public:
  SocketStream(int socket, Timeouts timeouts) : socket_(socket), timeouts_(timeouts) {
    // Otherwise the second of two small packets waits for the first one's acknowledgement, 40 ms.
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  ~SocketStream() override {
    ::shutdown(socket_, SHUT_RDWR);
    ::close(socket_);
  }

  bool wait(milliseconds timeout) const {
    return begin_ < end_ || wait_for(socket_, POLLIN, timeout);
  }

  bool flush() {
    size_t sent = 0;
    while (sent < pending_.size()) {
      const ssize_t n = ::send(socket_, pending_.data() + sent, pending_.size() - sent,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) {
        sent += static_cast<size_t>(n);
      } else if (n < 0 && errno != EINTR && errno != EAGAIN) {
        break;
      } else if (errno == EAGAIN && !wait_for(socket_, POLLOUT, timeouts_.write)) {
        break;
      }
    }
    const bool all = sent == pending_.size();
    pending_.clear();
    return all;
  }

  bool is_readable() const override { return wait(timeouts_.read); }
  bool is_writable() const override { return wait_for(socket_, POLLOUT, timeouts_.write); }

  ssize_t read(char* to, size_t size) override {
    if (begin_ == end_) {
      // "100 Continue" must be out before the body can come.
      if (!flush() || !wait_for(socket_, POLLIN, timeouts_.read)) return -1;
      ssize_t n = 0;
      do {
        n = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
      } while (n < 0 && errno == EINTR);
      if (n <= 0) return n;
      begin_ = 0;
      end_ = static_cast<size_t>(n);
    }
    const size_t n = std::min(size, end_ - begin_);
    std::memcpy(to, buffer_.data() + begin_, n);
    begin_ += n;
    return static_cast<ssize_t>(n);
  }

  ssize_t write(const char* from, size_t size) override {
    pending_.append(from, size);
    if (pending_.size() > kWriteBytesMax && !flush()) return -1;
    return static_cast<ssize_t>(size);
  }

  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    address_of(socket_, ::getpeername, ip, port);
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    address_of(socket_, ::getsockname, ip, port);
  }
  // httplib asks for this only to refuse numbers too large for select(2), which is not used here.
  socket_t socket() const override { return 0; }

 private:
  const int socket_;
  const Timeouts timeouts_;
  std::array<char, kReadBytes> buffer_;  // [begin_, end_) has been received and not been read
  size_t begin_ = 0;
  size_t end_ = 0;
  std::string pending_;  // written and not sent
};

Connection::Connection(int socket, Timeouts timeouts)
    : stream_(std::make_unique<SocketStream>(socket, timeouts)) {}
Connection::~Connection() = default;

httplib::Stream& Connection::stream() {
  return *stream_;
}
bool Connection::wait(milliseconds timeout) {
  return stream_->wait(timeout);
}
bool Connection::flush() {
  return stream_->flush();
}

}  // namespace searchsync::http
