// What a server does with those who send too much, too slowly, or are too many.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <latch>
#include <thread>
#include <vector>

#include "lib/base/gzip.h"
#include "lib/http/server.h"

namespace searchsync::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// A connection that says only what it is told to.
class Raw {
 public:
  explicit Raw(const std::string& address) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  ~Raw() { ::close(socket_); }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;

  bool send(std::string_view bytes) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Until the server closes it.
  std::string read() {
    std::string all;
    char part[4096];
    for (ssize_t n = 0; (n = ::recv(socket_, part, sizeof part, 0)) > 0;) {
      all.append(part, static_cast<size_t>(n));
    }
    return all;
  }
  // Of one answer whose body is `end`.
  std::string read_to(std::string_view end) {
    std::string all;
    char one = 0;
    while (!all.ends_with(end) && ::recv(socket_, &one, 1, 0) == 1) all += one;
    return all;
  }
  bool ended() {
    char one = 0;
    const ssize_t n = ::recv(socket_, &one, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
  }
  // Packets that had to be sent again.
  unsigned resent() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    EXPECT_EQ(::getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_total_retrans;
  }

 private:
  const int socket_;
};

class ServerLimitsTest : public ::testing::Test {
 protected:
  void start(Server::Options options) {
    server_ = std::make_unique<Server>(std::move(options));
    server_->route(Method::kPost, "/echo", [](const Request& request) {
      return Response{.content_type = "text/plain", .body = request.body, .headers = {}};
    });
    server_->route(Method::kGet, "/hold", [this](const Request&) {
      entered_.set_value();
      release_.get_future().wait();
      return Response{.body = "held", .headers = {}};
    });
    ASSERT_TRUE(server_->start());
  }

  std::unique_ptr<httplib::Client> client() {
    auto made = std::make_unique<httplib::Client>("http://" + server_->address());
    made->set_keep_alive(true);
    made->set_tcp_nodelay(true);
    return made;
  }

  httplib::Result send(const std::string& body, const std::string& encoding) {
    return client()->Post("/echo", {{"Content-Encoding", encoding}}, body, "text/plain");
  }

  std::promise<void> entered_;
  std::promise<void> release_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerLimitsTest, ABodyInGzipArrivesAsItWas) {
  start({.body_bytes_max = 100'000});
  std::string text;
  for (int i = 0; i < 9'000; ++i) text += std::to_string(i) + "\n";
  EXPECT_EQ(send(gzip(text), "gzip")->body, text);
  EXPECT_EQ(send(gzip("a"), "GZIP")->body, "a");
  EXPECT_EQ(send("plain", "identity")->body, "plain");
}

TEST_F(ServerLimitsTest, ABodyInGzipIsTakenWholeOrNotAtAll) {
  start({.body_bytes_max = 100'000});
  const auto check = [](const httplib::Result& response, int status, const std::string& code) {
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, status);
    EXPECT_NE(response->body.find("\"code\":\"" + code + "\""), std::string::npos)
        << response->body;
  };
  const auto whole = gzip(std::string(5'000, 'a') + std::string(5'000, 'b'));
  check(send(gzip(std::string(100'001, 'x')), "gzip"), 413, "payload_too_large");
  check(send(whole.substr(0, whole.size() - 9), "gzip"), 400, "bad_encoding");
  check(send(whole + "more", "gzip"), 400, "bad_encoding");
  check(send("no gzip", "gzip"), 400, "bad_encoding");
  check(send(whole, "br"), 415, "unsupported_encoding");
  check(send(whole, "gzip, gzip"), 415, "unsupported_encoding");
}

// One byte now and then is always within the time from one byte to the next.
TEST_F(ServerLimitsTest, ARequestHasToCome) {
  start({.threads = 1, .request_timeout = seconds(5)});
  Raw slow(server_->address());
  ASSERT_TRUE(slow.send("POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"));
  const auto deadline = steady_clock::now() + seconds(60);
  while (!slow.ended() && steady_clock::now() < deadline) {
    slow.send("x");
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_TRUE(slow.ended());
  EXPECT_EQ(client()->Post("/echo", "next", "text/plain")->body, "next");
}

TEST_F(ServerLimitsTest, WhoIsIdleMakesRoom) {
  start({.threads = 1, .keep_alive = seconds(1'000)});
  Raw idle(server_->address());
  ASSERT_TRUE(idle.send("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nfirst"));
  ASSERT_TRUE(idle.read_to("first").starts_with("HTTP/1.1 200"));
  EXPECT_EQ(client()->Post("/echo", "second", "text/plain")->body, "second");
  EXPECT_EQ(idle.read(), "");
}

// Linux drops, and now and then resets, what comes while too many wait to be accepted.
TEST_F(ServerLimitsTest, ManyMayComeAtOnce) {
  start({.threads = 1});
  std::latch begin(16);
  std::vector<std::future<unsigned>> crowd;
  for (int i = 0; i < 16; ++i) {
    crowd.push_back(std::async(std::launch::async, [&] {
      begin.arrive_and_wait();
      std::vector<std::unique_ptr<Raw>> all;
      unsigned resent = 0;
      for (int k = 0; k < 16; ++k) {
        all.push_back(std::make_unique<Raw>(server_->address()));
        EXPECT_TRUE(all.back()->send("POST /echo HTTP/1.1\r\n"));
        resent += all.back()->resent();
      }
      return resent;
    }));
  }
  for (auto& part : crowd) EXPECT_EQ(part.get(), 0U);
}

TEST_F(ServerLimitsTest, OneTooManyIsTold) {
  start({.threads = 1, .waiting_max = 1});
  Raw first(server_->address());
  ASSERT_TRUE(first.send("GET /hold HTTP/1.1\r\nConnection: close\r\n\r\n"));
  entered_.get_future().wait();
  Raw second(server_->address());
  ASSERT_TRUE(
      second.send("POST /echo HTTP/1.1\r\nConnection: close\r\nContent-Length: 6\r\n\r\nsecond"));
  // Connections are accepted in the order in which they were made.
  Raw third(server_->address());
  const auto refused = third.read();
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 503 ")) << refused;
  EXPECT_NE(refused.find("Retry-After: 1\r\n"), std::string::npos);
  EXPECT_NE(refused.find("\"code\":\"overloaded\""), std::string::npos);
  release_.set_value();
  EXPECT_TRUE(first.read().ends_with("held"));
  EXPECT_TRUE(second.read().ends_with("second"));
}

}  // namespace
}  // namespace searchsync::http
