#include "lib/http/channel.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "lib/base/check.h"
#include "lib/http/tls_context.h"

namespace searchsync::http {
namespace {

bool wait_for(int socket, short events, Deadline deadline) {
  using std::chrono::milliseconds;
  pollfd entry{.fd = socket, .events = events, .revents = 0};
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Deadline::clock::now());
    const auto wait = std::clamp<int64_t>(left.count(), 0, std::numeric_limits<int>::max());
    const int ready = ::poll(&entry, 1, static_cast<int>(wait));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

void close_socket(int socket) {
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
}

class PlainChannel final : public Channel {
 public:
  explicit PlainChannel(int socket) : Channel(socket) {}
  ~PlainChannel() override { close_socket(socket_); }

  ssize_t read(char* to, size_t size, Deadline deadline) override {
    for (;;) {
      const ssize_t n = ::recv(socket_, to, size, MSG_DONTWAIT);
      if (n >= 0) return n;
      if (errno == EINTR) continue;
      if (errno != EAGAIN || !wait_for(socket_, POLLIN, deadline)) return -1;
    }
  }

  bool write(std::string_view bytes, Deadline deadline) override {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) {
        bytes.remove_prefix(static_cast<size_t>(n));
      } else if (n < 0 && errno == EINTR) {
        continue;
      } else if (n < 0 && (errno != EAGAIN || !wait_for(socket_, POLLOUT, deadline))) {
        return false;
      }
    }
    return true;
  }

  bool wait(Deadline deadline) override { return wait_for(socket_, POLLIN, deadline); }
};

class SecureChannel final : public Channel {
 public:
  SecureChannel(int socket, const TlsContext& tls) : Channel(socket), tls_(SSL_new(tls.get())) {
    CHECK(tls_ != nullptr);
    ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
    SSL_set_fd(tls_, socket);
    SSL_set_accept_state(tls_);
  }

  ~SecureChannel() override {
    ERR_clear_error();
    if (sound_) SSL_shutdown(tls_);  // says that it ends, and waits for no answer
    SSL_free(tls_);
    close_socket(socket_);
  }

  bool shake_hands(Deadline deadline) {
    return run(deadline, [this] { return SSL_do_handshake(tls_); }) > 0;
  }

  ssize_t read(char* to, size_t size, Deadline deadline) override {
    const int most = static_cast<int>(std::min<size_t>(size, 1 << 30));
    return run(deadline, [&] { return SSL_read(tls_, to, most); });
  }

  bool write(std::string_view bytes, Deadline deadline) override {
    while (!bytes.empty()) {
      const int most = static_cast<int>(std::min<size_t>(bytes.size(), 1 << 30));
      const ssize_t n = run(deadline, [&] { return SSL_write(tls_, bytes.data(), most); });
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  bool wait(Deadline deadline) override {
    return SSL_has_pending(tls_) == 1 || wait_for(socket_, POLLIN, deadline);
  }

 private:
  // What `step` gives; 0 at the end, -1 for a fault or when the deadline has passed.
  template <class Step>
  ssize_t run(Deadline deadline, Step step) {
    for (;;) {
      ERR_clear_error();
      const int n = step();
      if (n > 0) return n;
      switch (SSL_get_error(tls_, n)) {
        case SSL_ERROR_WANT_READ:
          if (wait_for(socket_, POLLIN, deadline)) continue;
          return -1;
        case SSL_ERROR_WANT_WRITE:
          if (wait_for(socket_, POLLOUT, deadline)) continue;
          return -1;
        case SSL_ERROR_ZERO_RETURN:
          return 0;
        default:
          sound_ = false;  // nothing more may be said on it
          return -1;
      }
    }
  }

  SSL* const tls_;
  bool sound_ = true;
};

}  // namespace

std::unique_ptr<Channel> plain_channel(int socket) {
  return std::make_unique<PlainChannel>(socket);
}

std::unique_ptr<Channel> tls_channel(int socket, const TlsContext& tls, Deadline deadline) {
  auto channel = std::make_unique<SecureChannel>(socket, tls);
  if (!channel->shake_hands(deadline)) return nullptr;
  return channel;
}

}  // namespace searchsync::http
