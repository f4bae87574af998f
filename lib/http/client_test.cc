#include "lib/http/client.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "lib/base/bounded_queue.h"

namespace searchsync::http {
namespace {

using std::chrono::milliseconds;

// A real server on a free port of the loopback interface: what this client promises is about
// sockets.
class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    server_.Get("/hello", [](const httplib::Request&, httplib::Response& response) {
      response.set_header("X-Colour", "blue");
      response.set_content("hi", "text/plain");
    });
    server_.Post("/echo", [](const httplib::Request& request, httplib::Response& response) {
      response.set_content(request.body, "text/plain");
      response.set_header("X-Type", request.get_header_value("Content-Type"));
      response.set_header("X-Expect", request.has_header("Expect") ? "yes" : "no");
      response.set_header("X-Auth", request.get_header_value("Authorization"));
    });
    server_.Delete("/gone", [](const httplib::Request&, httplib::Response& response) {
      response.status = 404;
    });
    server_.Get("/peer", [this](const httplib::Request& request, httplib::Response&) {
      const std::lock_guard lock(mutex_);
      peer_ports_.insert(request.remote_port);
    });
    server_.Get("/large", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(std::string(100'000, 'x'), "text/plain");
    });
    server_.Get("/wait", [this](const httplib::Request&, httplib::Response&) { held_.wait(); });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();  // stop() before that is ignored
  }
  ~ClientTest() override {
    release_once();
    server_.stop();
  }

  void release_once() {
    if (!released_) release_.set_value();
    released_ = true;
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // A port that is taken, and on which nobody listens.
  static std::string dead_url() {
    static const int port = [] {
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof address;
      auto* generic = reinterpret_cast<sockaddr*>(&address);
      EXPECT_EQ(bind(fd, generic, size), 0);
      EXPECT_EQ(getsockname(fd, generic, &size), 0);
      return static_cast<int>(ntohs(address.sin_port));
    }();
    return "http://127.0.0.1:" + std::to_string(port);
  }

  std::unique_ptr<Client> client(ClientOptions options = {}) const {
    if (options.base_urls.empty()) options.base_urls = {url()};
    auto made = Client::create(std::move(options));
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  httplib::Server server_;
  int port_ = 0;
  std::promise<void> release_;
  std::shared_future<void> held_ = release_.get_future().share();
  bool released_ = false;
  std::mutex mutex_;
  std::set<int> peer_ports_;  // guarded by mutex_
  std::jthread thread_;
};

TEST_F(ClientTest, ReturnsStatusHeadersAndBody) {
  const auto response = client()->request({.path = "/hello?secret=1"});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->header("x-colour"), "blue");
  EXPECT_EQ(response->header("x-shape"), "");
  EXPECT_EQ(response->body, "hi");
}

TEST_F(ClientTest, AStatusIsNotAnError) {
  const auto response = client()->request({.method = "DELETE", .path = "/gone"});
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 404);
}

TEST_F(ClientTest, SendsBodyTypeAndCredentialsWithoutExpect) {
  const auto c = client({.base_urls = {url() + "/"}, .auth = ApiKeyAuth{"abc"}});
  const std::string body(2'000'000, 'b');
  const auto response = c->request({.method = "POST",
                                    .path = "/echo",
                                    .headers = {{"Content-Type", "application/x-ndjson"}},
                                    .body = body});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, body);
  EXPECT_EQ(response->header("x-type"), "application/x-ndjson");
  EXPECT_EQ(response->header("x-expect"), "no");
  EXPECT_EQ(response->header("x-auth"), "ApiKey abc");
}

TEST_F(ClientTest, SendsBasicAndBearerCredentials) {
  const auto basic = client({.base_urls = {}, .auth = BasicAuth{"elastic", "pass:word"}});
  const auto bearer = client({.base_urls = {}, .auth = BearerAuth{"tok"}});
  const ClientRequest request{.method = "POST", .path = "/echo"};
  EXPECT_EQ(basic->request(request)->header("x-auth"), "Basic ZWxhc3RpYzpwYXNzOndvcmQ=");
  EXPECT_EQ(bearer->request(request)->header("x-auth"), "Bearer tok");
}

TEST_F(ClientTest, KeepsItsConnectionOpen) {
  const auto c = client();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(c->request({.path = "/peer"}));
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(peer_ports_.size(), 1u);
}

TEST_F(ClientTest, GoesToTheNextUrlWhenOneIsDown) {
  const auto c = client({.base_urls = {dead_url(), url()}});
  for (int i = 0; i < 4; ++i) {
    const auto response = c->request({.path = "/hello"});
    ASSERT_TRUE(response) << response.error().message;
  }
}

TEST_F(ClientTest, SaysWhoCouldNotBeReachedAndNoSecret) {
  const std::string dead = dead_url();
  const auto c = client({.base_urls = {dead}, .auth = BasicAuth{"me", "hunter2"}});
  const auto response = c->request({.path = "/x?token=hunter3"});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(response.error().message.find("GET " + dead + "/x"), std::string::npos)
      << response.error().message;
  EXPECT_EQ(response.error().message.find("hunter"), std::string::npos);
}

TEST_F(ClientTest, TimesOut) {
  const auto response = client()->request({.path = "/wait", .timeout = milliseconds(50)});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kTimeout);
}

TEST_F(ClientTest, LimitsTheResponse) {
  const auto response =
      client({.base_urls = {}, .response_bytes_max = 5'000})->request({.path = "/large"});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kLimit);
}

TEST_F(ClientTest, RefusesUrlsThatCannotWork) {
  for (const char* url :
       {"ftp://host", "nonsense", "http://user:hunter2@host", "http://h/?q=1", ""}) {
    const auto made = Client::create({.base_urls = {url}});
    ASSERT_FALSE(made) << url;
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(made.error().message.find("hunter2"), std::string::npos);
  }
  EXPECT_FALSE(Client::create({}));
}

TEST_F(ClientTest, AsyncHandsTheRequestBack) {
  BoundedQueue<Completion> done(10);
  const auto c = AsyncClient::create({.base_urls = {dead_url(), url()}}).value();
  for (int i = 0; i < 5; ++i) {
    ClientRequest request{.method = "POST", .path = "/echo", .body = "body " + std::to_string(i)};
    ASSERT_TRUE(c->submit(std::move(request),
                          [&](Completion completion) { done.push_always(std::move(completion)); }));
  }
  std::set<std::string> bodies;
  for (int i = 0; i < 5; ++i) {
    const auto completion = done.pop(milliseconds(10'000));
    ASSERT_TRUE(completion);
    ASSERT_TRUE(completion->response) << completion->response.error().message;
    EXPECT_EQ(completion->response->body, completion->request.body);
    bodies.insert(completion->request.body);
  }
  EXPECT_EQ(bodies.size(), 5u);
  EXPECT_EQ(c->in_flight(), 0u);
}

TEST_F(ClientTest, AsyncIsBoundedAndLeavesWhatItRefuses) {
  BoundedQueue<Completion> done(10);
  const auto callback = [&](Completion completion) { done.push_always(std::move(completion)); };
  const auto c = AsyncClient::create({.base_urls = {url()}, .in_flight_max = 1}).value();
  ASSERT_TRUE(c->submit({.path = "/wait"}, callback));
  ClientRequest second{.path = "/hello", .body = "kept"};
  EXPECT_FALSE(c->submit(std::move(second), callback));
  EXPECT_EQ(second.body, "kept");  // NOLINT(bugprone-use-after-move): it was not taken
  release_once();
  ASSERT_TRUE(done.pop(milliseconds(10'000)));
  EXPECT_TRUE(c->submit(std::move(second), callback));
  EXPECT_TRUE(done.pop(milliseconds(10'000)));
}

TEST_F(ClientTest, AsyncCancelsWhatIsOpenWhenDestroyed) {
  BoundedQueue<Completion> done(10);
  {
    const auto c = AsyncClient::create({.base_urls = {url()}}).value();
    ASSERT_TRUE(c->submit({.path = "/wait"},
                          [&](Completion completion) { done.push_always(std::move(completion)); }));
  }
  const auto completion = done.pop(milliseconds(0));
  ASSERT_TRUE(completion);
  ASSERT_FALSE(completion->response);
  EXPECT_EQ(completion->response.error().code, ErrorCode::kCancelled);
}

TEST(PercentEncode, LeavesOnlyUnreservedCharacters) {
  EXPECT_EQ(percent_encode("aZ0-._~"), "aZ0-._~");
  EXPECT_EQ(percent_encode("a/b?c d%\xc3\xa9"), "a%2Fb%3Fc%20d%25%C3%A9");
}

}  // namespace
}  // namespace searchsync::http
