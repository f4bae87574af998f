#include "lib/http/server.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace searchsync::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

Response echo(const Request& request) {
  Response response{.content_type = "text/plain", .body = request.body};
  response.headers.emplace_back("X-Path", request.path);
  response.headers.emplace_back("X-Query", std::string(request.query_parameter("q").value_or("")));
  response.headers.emplace_back("X-Header", std::string(request.header("x-mine").value_or("")));
  return response;
}

class ServerTest : public ::testing::Test {
 protected:
  void start(Server::Options options = {}) {
    server_ = std::make_unique<Server>(std::move(options));
    server_->route(Method::kGet, "/echo", echo);
    server_->route(Method::kPost, "/echo", echo);
    server_->route(Method::kPut, "/items/{id}", [](const Request& request) {
      return Response{.status = 201, .body = request.path_parameter("id")};
    });
    server_->route(Method::kGet, "/throws",
                   [](const Request&) -> Response { throw std::runtime_error("no"); });
    server_->route(Method::kGet, "/stream", [](const Request& request) {
      const std::string how(request.query_parameter("how").value_or(""));
      return Response{.content_type = "text/plain", .stream = [how](const Sink& sink) {
                        for (int i = 0; i < 3; ++i) {
                          if (!sink(std::string(100'000, static_cast<char>('a' + i)))) return false;
                        }
                        if (how == "throw") throw std::runtime_error("no");
                        return how != "break";
                      }};
    });
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
    client_ = std::make_unique<httplib::Client>("http://" + server_->address());
    client_->set_keep_alive(true);
    client_->set_tcp_nodelay(true);
  }

  // Sends bytes on a connection of their own and reads until the server closes it.
  std::string exchange(const std::string& bytes) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const auto colon = server_->address().rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(server_->address().substr(colon + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<size_t>(n);
    }
    std::string all;
    char part[4096];
    for (ssize_t n = 0; (n = ::recv(socket, part, sizeof part, 0)) > 0;) {
      all.append(part, static_cast<size_t>(n));
    }
    ::close(socket);
    return all;
  }

  std::unique_ptr<Server> server_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(ServerTest, AStreamComesInPiecesAndABrokenOneShows) {
  start();
  const auto whole = client_->Get("/stream");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->body,
            std::string(100'000, 'a') + std::string(100'000, 'b') + std::string(100'000, 'c'));
  EXPECT_EQ(whole->get_header_value("Transfer-Encoding"), "chunked");
  for (const char* path : {"/stream?how=break", "/stream?how=throw"}) {
    const std::string sent = exchange(std::string("GET ") + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(sent.starts_with("HTTP/1.1 200")) << path;
    EXPECT_FALSE(sent.ends_with("0\r\n\r\n")) << path << " looks whole";
    EXPECT_FALSE(client_->Get(path)) << path;
  }
  const auto head = client_->Head("/stream");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
  EXPECT_TRUE(client_->Get("/echo"));
}

TEST_F(ServerTest, HandsOverTheWholeRequest) {
  start();
  const auto response =
      client_->Post("/echo?q=a%20b&r=1", {{"X-Mine", "yes"}}, "the body", "text/plain");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "the body");
  EXPECT_EQ(response->get_header_value("Content-Type"), "text/plain");
  EXPECT_EQ(response->get_header_value("X-Path"), "/echo");
  EXPECT_EQ(response->get_header_value("X-Query"), "a b");
  EXPECT_EQ(response->get_header_value("X-Header"), "yes");
  EXPECT_EQ(client_->Put("/items/4%2F2", "", "text/plain")->body, "4/2");
  const auto head = client_->Head("/echo");
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->body, "");
}

TEST_F(ServerTest, ErrorsAreJson) {
  start();
  const auto check = [](const httplib::Result& response, int status, const std::string& code) {
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, status);
    EXPECT_EQ(response->get_header_value("Content-Type"), "application/json");
    EXPECT_TRUE(response->body.starts_with("{\"error\":{\"code\":\"" + code + "\",\"message\":\""))
        << response->body;
  };
  check(client_->Get("/nothing"), 404, "not_found");
  check(client_->Delete("/echo"), 405, "method_not_allowed");
  check(client_->Options("/echo"), 405, "method_not_allowed");
  check(client_->Get("/throws"), 500, "internal");
  check(client_->Get("/" + std::string(8000, 'a')), 404, "not_found");
}

TEST_F(ServerTest, BodyOverTheLimitIsRefused) {
  start({.body_bytes_max = 1000});
  EXPECT_EQ(client_->Post("/echo", std::string(1000, 'x'), "text/plain")->status, 200);
  const auto refused = client_->Post("/echo", std::string(1001, 'x'), "text/plain");
  EXPECT_EQ(refused->status, 413);
  EXPECT_NE(refused->body.find("payload_too_large"), std::string::npos);
  EXPECT_EQ(client_->Post("/echo", "next", "text/plain")->body, "next");
  // Chunked, so that the size is not known before.
  const std::string chunk = "200\r\n" + std::string(0x200, 'x') + "\r\n";
  const auto chunked = exchange("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                chunk + chunk + chunk + "0\r\n\r\n");
  EXPECT_TRUE(chunked.starts_with("HTTP/1.1 413 ")) << chunked;
}

TEST_F(ServerTest, ChunkedBodyUnderTheLimitArrives) {
  start();
  const auto answer = exchange(
      "POST /echo HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nabcde")) << answer;
}

TEST_F(ServerTest, WithoutALengthThereIsNoBody) {
  start();
  const auto answer = exchange(
      "PUT /items/1 HTTP/1.1\r\n\r\n"
      "POST /echo HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 201 ")) << answer;
  EXPECT_NE(answer.find("\r\n\r\n1HTTP/1.1 200 "), std::string::npos) << answer;
}

TEST_F(ServerTest, GarbageIsRefusedAndTheConnectionClosed) {
  start();
  const auto answer = exchange("nonsense\r\nGET /echo HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("\"bad_request\""), std::string::npos);
  EXPECT_EQ(answer.find("HTTP/1.1 200"), std::string::npos);
}

// What is between the client and us may have seen another end of the first request.
TEST_F(ServerTest, ARequestWhoseEndIsNotClearIsRefusedAndTheConnectionClosed) {
  start();
  const std::string next = "GET /echo HTTP/1.1\r\n\r\n";
  for (const std::string headers :
       {"Content-Length: 2\r\nContent-Length: 3", "Content-Length: abc", "Content-Length: -5",
        "Content-Length: 99999999999999999999", "Content-Length: 2, 2",
        "Content-Length: 2\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked"}) {
    const auto answer = exchange("POST /echo HTTP/1.1\r\n" + headers + "\r\n\r\n" + next);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << headers << "\n" << answer;
    EXPECT_NE(answer.find("\"bad_request\""), std::string::npos) << headers;
    EXPECT_NE(answer.find("Connection: close"), std::string::npos) << headers;
    EXPECT_EQ(answer.find("HTTP/1.1 200"), std::string::npos) << headers;
  }
}

TEST_F(ServerTest, TheBodyOfAGetIsNoRequest) {
  start();
  const std::string next = "GET /echo HTTP/1.1\r\n\r\n";
  const auto answer = exchange(
      fmt::format("GET /echo HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}", next.size(), next));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << answer;
}

TEST_F(ServerTest, NobodyGetsAPartOfAnAnswer) {
  start();
  for (const auto* range : {"bytes=0-3", "bytes=0-3,5-8", "bytes=1000-", "bytes=-2"}) {
    const auto response = client_->Post("/echo", {{"Range", range}}, "whole body", "text/plain");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200) << range;
    EXPECT_EQ(response->body, "whole body") << range;
    EXPECT_EQ(response->get_header_value("Accept-Ranges"), "none");
  }
}

TEST_F(ServerTest, APathThatIsNotEncodedIsRefused) {
  start();
  for (const auto* path : {"/items/%zz", "/items/%4", "/items/a%", "/items/a?b=%"}) {
    const auto answer = exchange(
        fmt::format("PUT {} HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", path));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << path << "\n" << answer;
  }
  EXPECT_EQ(client_->Put("/items/%41%2f", "", "")->body, "A/");
}

TEST_F(ServerTest, FormsArriveAsTheyAre) {
  start();
  const std::string form = "--b\r\n\r\nx\r\n--b--";
  const auto response = client_->Post("/echo", form, "multipart/form-data; boundary=b");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, form);
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  const auto answer = exchange(
      "POST /echo HTTP/1.1\r\nContent-Length: 1\r\n\r\n1"
      "POST /echo HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\n2");
  const auto first = answer.find("\r\n\r\n1HTTP/1.1 200");
  EXPECT_NE(first, std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n2"));
}

// Headers and body in separate small packets would wait 40 ms for a delayed acknowledgement.
TEST_F(ServerTest, KeepAliveAnswersWithoutDelay) {
  start();
  ASSERT_TRUE(client_->Post("/echo", "warm", "text/plain"));
  std::vector<steady_clock::duration> took(50);
  for (auto& one : took) {
    const auto began = steady_clock::now();
    ASSERT_EQ(client_->Post("/echo", "x", "text/plain")->body, "x");
    one = steady_clock::now() - began;
  }
  std::ranges::sort(took);
  EXPECT_LT(took[took.size() / 2], milliseconds(20));  // one may be held up by the machine
}

TEST_F(ServerTest, StopFinishesWhatRunsAndDropsWhatIsIdle) {
  std::promise<void> entered;
  std::promise<void> release;
  server_ = std::make_unique<Server>(Server::Options{});
  server_->route(Method::kGet, "/slow", [&](const Request&) {
    entered.set_value();
    release.get_future().wait();
    return Response{.body = "done"};
  });
  server_->route(Method::kGet, "/quick", [](const Request&) { return Response{.body = "quick"}; });
  ASSERT_TRUE(server_->start());
  httplib::Client idle("http://" + server_->address());
  idle.set_keep_alive(true);
  ASSERT_EQ(idle.Get("/quick")->body, "quick");

  std::string body;
  std::jthread slow([&] {
    httplib::Client client("http://" + server_->address());
    body = client.Get("/slow")->body;
  });
  entered.get_future().wait();
  const auto began = steady_clock::now();
  auto stopped = std::async(std::launch::async, [&] { server_->stop(); });
  EXPECT_EQ(stopped.wait_for(milliseconds(50)), std::future_status::timeout);
  release.set_value();
  stopped.get();
  slow.join();
  EXPECT_EQ(body, "done");
  EXPECT_LT(steady_clock::now() - began, seconds(10));  // the idle one may stay for 15
  EXPECT_FALSE(idle.Get("/quick"));
  server_->stop();
}

TEST_F(ServerTest, SaysWhyItCannotListen) {
  start();
  Server second({.listen = server_->address()});
  const auto used = second.start();
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, ErrorCode::kConflict);
  EXPECT_NE(used.error().message.find(server_->address()), std::string::npos);

  const std::pair<const char*, ErrorCode> kCases[] = {
      {"127.0.0.1", ErrorCode::kInvalidArgument},
      {"127.0.0.1:", ErrorCode::kInvalidArgument},
      {"127.0.0.1:99999", ErrorCode::kInvalidArgument},
      {"127.0.0.1:8x", ErrorCode::kInvalidArgument},
      {"203.0.113.1:0", ErrorCode::kUnavailable},
  };
  for (const auto& [listen, code] : kCases) {
    Server server({.listen = listen});
    const auto started = server.start();
    ASSERT_FALSE(started) << listen;
    EXPECT_EQ(started.error().code, code) << started.error().message;
  }
}

TEST_F(ServerTest, ServesManyAtOnce) {
  start({.threads = 8});
  std::atomic<int> answered = 0;
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 8; ++i) {
      clients.emplace_back([&, i] {
        httplib::Client client("http://" + server_->address());
        client.set_keep_alive(true);
        client.set_tcp_nodelay(true);
        for (int n = 0; n < 50; ++n) {
          const auto body = std::to_string(i) + ":" + std::to_string(n);
          const auto response = client.Post("/echo", body, "text/plain");
          answered += response && response->body == body ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(answered, 400);
}

}  // namespace
}  // namespace searchsync::http
