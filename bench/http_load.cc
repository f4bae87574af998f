#include "bench/http_load.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>

#include "lib/base/check.h"

namespace searchsync {
namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

Connection::Connection(const std::string& address) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  const size_t colon = address.rfind(':');
  CHECK(colon != std::string::npos, "{}", address);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
  CHECK(::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) == 1);
  CHECK(::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0, "{}", address);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() {
  ::close(socket_);
}

int Connection::exchange(std::string_view request) {
  while (!request.empty()) {
    const ssize_t n = ::send(socket_, request.data(), request.size(), MSG_NOSIGNAL);
    CHECK(n > 0, "the connection was closed");
    request.remove_prefix(static_cast<size_t>(n));
  }
  buffer_.clear();
  size_t head = 0;
  while ((head = buffer_.find("\r\n\r\n")) == std::string::npos) receive();
  constexpr std::string_view kLength = "Content-Length: ";
  size_t length = 0;
  if (const size_t at = buffer_.find(kLength); at < head) {
    const char* const digits = buffer_.data() + at + kLength.size();
    std::from_chars(digits, buffer_.data() + buffer_.size(), length);
  }
  while (buffer_.size() < head + 4 + length) receive();
  int status = 0;
  std::from_chars(buffer_.data() + 9, buffer_.data() + 12, status);
  return status;
}

void Connection::receive() {
  const size_t before = buffer_.size();
  buffer_.resize(before + (64 << 10));
  const ssize_t n = ::recv(socket_, buffer_.data() + before, 64 << 10, 0);
  CHECK(n > 0, "the connection was closed");
  buffer_.resize(before + static_cast<size_t>(n));
}

void report(size_t done, double seconds, std::vector<double>& latencies, size_t failures) {
  std::ranges::sort(latencies);
  const auto percentile = [&](double share) {
    if (latencies.empty()) return 0.0;
    return latencies[static_cast<size_t>(share * static_cast<double>(latencies.size() - 1))] * 1e3;
  };
  fmt::print(R"({{"events":{},"seconds":{:.3f},"perSecond":{:.0f},"p50Ms":{:.2f},"p95Ms":{:.2f},)"
             R"("p99Ms":{:.2f},"failures":{},"cpuSeconds":{:.3f}}})"
             "\n",
             done, seconds, static_cast<double>(done) / seconds, percentile(0.5), percentile(0.95),
             percentile(0.99), failures, cpu_seconds());
}

}  // namespace searchsync
