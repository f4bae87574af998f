#include "lib/http/connection.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace searchsync::http {
namespace {

using std::chrono::milliseconds;

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kWriteBytesMax = 256 << 10;  // more than this is sent before the response is whole

Deadline after(milliseconds time) {
  return Deadline::clock::now() + time;
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
  SocketStream(std::unique_ptr<Channel> channel, Timeouts timeouts)
      : channel_(std::move(channel)), timeouts_(timeouts) {
    // Otherwise the second of two small packets waits for the first one's acknowledgement, 40 ms.
    const int on = 1;
    ::setsockopt(channel_->socket(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  bool wait(milliseconds timeout) {
    const bool more = begin_ < end_ || channel_->wait(after(timeout));
    request_end_ = after(timeouts_.request);
    return more;
  }

  bool flush() {
    const bool all = pending_.empty() || channel_->write(pending_, after(timeouts_.write));
    pending_.clear();
    return all;
  }

  bool is_readable() const override { return begin_ < end_ || channel_->wait(read_end()); }
  // What is written is kept: flush() waits.
  bool is_writable() const override { return true; }

  ssize_t read(char* to, size_t size) override {
    if (begin_ == end_) {
      // "100 Continue" must be out before the body can come.
      if (!flush()) return -1;
      const ssize_t n = channel_->read(buffer_.data(), buffer_.size(), read_end());
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
    address_of(channel_->socket(), ::getpeername, ip, port);
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    address_of(channel_->socket(), ::getsockname, ip, port);
  }
  // httplib asks for this only to refuse numbers too large for select(2), which is not used here.
  socket_t socket() const override { return 0; }

 private:
  Deadline read_end() const { return std::min(request_end_, after(timeouts_.read)); }

  const std::unique_ptr<Channel> channel_;
  const Timeouts timeouts_;
  Deadline request_end_;
  std::array<char, kReadBytes> buffer_;  // [begin_, end_) has been received and not been read
  size_t begin_ = 0;
  size_t end_ = 0;
  std::string pending_;  // written and not sent
};

Connection::Connection(std::unique_ptr<Channel> channel, Timeouts timeouts)
    : stream_(std::make_unique<SocketStream>(std::move(channel), timeouts)) {}
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
