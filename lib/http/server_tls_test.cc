#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "lib/http/server.h"
#include "lib/kube/test_certificates.h"

namespace searchsync::http {
namespace {

using kube::make_authority;
using kube::make_certificate;

class ServerTlsTest : public ::testing::Test {
 protected:
  ServerTlsTest()
      : authority_(make_authority("ours")),
        own_(make_certificate(authority_, "server", "IP:127.0.0.1")),
        trusted_(std::filesystem::temp_directory_path() /
                 ("server-tls-test-" + std::to_string(::getpid()))) {
    trust(authority_.certificate);
  }
  ~ServerTlsTest() override { std::filesystem::remove(trusted_); }

  void trust(const std::string& pem) { std::ofstream(trusted_) << pem; }

  void start(size_t threads = 4) {
    server_ = std::make_unique<Server>(
        Server::Options{.threads = threads,
                        .body_bytes_max = 8 << 20,
                        .read_timeout = std::chrono::seconds(1),
                        .tls = TlsFiles{own_.certificate + authority_.certificate, own_.key}});
    server_->route(Method::kPost, "/echo", [](const Request& request) {
      return Response{.content_type = "text/plain", .body = request.body, .headers = {}};
    });
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }

  int port() const {
    return std::stoi(server_->address().substr(server_->address().rfind(':') + 1));
  }

  httplib::Result send(const std::string& body) {
    httplib::SSLClient client("127.0.0.1", port());
    client.set_ca_cert_path(trusted_.c_str());
    client.enable_server_certificate_verification(true);
    return client.Post("/echo", body, "text/plain");
  }

  int connect_plainly() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port()));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    return socket;
  }

  const kube::TestPair authority_;
  const kube::TestPair own_;
  const std::filesystem::path trusted_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTlsTest, WhoTrustsItsAuthorityIsServed) {
  start();
  for (const size_t size : {0, 1, 16 << 10, 5 << 20}) {
    const std::string body(size, 'x');
    const auto response = send(body);
    ASSERT_TRUE(response) << httplib::to_string(response.error());
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body == body, true) << size;
  }
}

TEST_F(ServerTlsTest, RequestsFollowEachOtherOnOneConnection) {
  start(1);
  httplib::SSLClient client("127.0.0.1", port());
  client.enable_server_certificate_verification(false);
  client.set_keep_alive(true);
  for (int i = 0; i < 20; ++i) {
    const auto body = std::to_string(i);
    const auto response = client.Post("/echo", body, "text/plain");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, body);
  }
}

TEST_F(ServerTlsTest, WhoTrustsAnotherSendsNothing) {
  start();
  trust(make_authority("stranger").certificate);
  const auto response = send("secret");
  EXPECT_FALSE(response);
  EXPECT_EQ(response.error(), httplib::Error::SSLServerVerification);
}

TEST_F(ServerTlsTest, WhoDoesNotShakeHandsHoldsUpNobody) {
  start(1);
  const int silent = connect_plainly();
  const int plain = connect_plainly();
  const std::string request = "POST /echo HTTP/1.1\r\nContent-Length: 1\r\n\r\nx";
  EXPECT_GT(::send(plain, request.data(), request.size(), MSG_NOSIGNAL), 0);
  std::string answer;
  char part[256];
  for (ssize_t n = 0; (n = ::recv(plain, part, sizeof part, 0)) > 0;) {
    answer.append(part, static_cast<size_t>(n));
  }
  EXPECT_EQ(answer.find("HTTP/1.1 200"), std::string::npos) << "served without TLS";
  EXPECT_EQ(send("next")->body, "next");
  ::close(silent);
  ::close(plain);
}

TEST_F(ServerTlsTest, SaysWhatIsWrongWithItsFiles) {
  const auto other = make_certificate(authority_, "other", "");
  const struct {
    TlsFiles files;
    std::string said;
  } kCases[] = {
      {{"", own_.key}, "the TLS certificate is no PEM certificate"},
      {{own_.key, own_.key}, "the TLS certificate is no PEM certificate"},
      {{own_.certificate, ""}, "the TLS key is no PEM key, or it is encrypted"},
      {{own_.certificate, own_.certificate}, "the TLS key is no PEM key, or it is encrypted"},
      {{own_.certificate, other.key}, "the TLS key is not that of the certificate"},
  };
  for (const auto& [files, said] : kCases) {
    Server server({.tls = files});
    const auto started = server.start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(started.error().message, said);
  }
}

}  // namespace
}  // namespace searchsync::http
