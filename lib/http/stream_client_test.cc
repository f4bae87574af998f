#include "lib/http/stream_client.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <map>
#include <mutex>
#include <thread>

namespace searchsync::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What has come of each stream.
class Collect final : public StreamReader {
 public:
  void on_stream_bytes(StreamId id, const ClientResponse& head, std::string_view bytes) override {
    EXPECT_FALSE(ended.contains(id));
    EXPECT_EQ(head.body, "");
    EXPECT_EQ(bytes.empty(), !status.contains(id)) << "the head comes first, once";
    status[id] = head.status;
    received[id] += bytes;
  }
  void on_stream_end(StreamId id, Result<ClientResponse> head) override {
    EXPECT_TRUE(ended.emplace(id, std::move(head)).second);
  }
  std::map<StreamId, int> status;
  std::map<StreamId, std::string> received;
  std::map<StreamId, Result<ClientResponse>> ended;
};

class StreamClientTest : public testing::Test {
 protected:
  StreamClientTest() {
    server_.Get("/lines", [this](const httplib::Request&, httplib::Response& response) {
      response.set_header("X-Colour", "blue");
      response.set_chunked_content_provider(
          "text/plain", [this, sent = size_t{0}](size_t, httplib::DataSink& sink) mutable {
            std::this_thread::sleep_for(milliseconds(1));
            const std::lock_guard lock(mutex_);
            if (lines_.size() > sent) sink.write(lines_.data() + sent, lines_.size() - sent);
            sent = lines_.size();
            if (finished_) sink.done();
            return true;
          });
    });
    server_.Get("/busy", [](const httplib::Request&, httplib::Response& response) {
      response.status = 429;
      response.set_header("Retry-After", "3");
      response.set_content("later", "text/plain");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
    client_ = StreamClient::create({.base_urls = {url()}}).value();
  }
  ~StreamClientTest() override {
    send("", true);
    client_.reset();
    server_.stop();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void send(const std::string& text, bool finished = false) {
    const std::lock_guard lock(mutex_);
    lines_ += text;
    finished_ = finished;
  }
  // Polls until `done`.
  bool until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + seconds(10);
    while (!done() && std::chrono::steady_clock::now() < end) client_->poll(milliseconds(100));
    return done();
  }

  httplib::Server server_;
  int port_ = 0;
  std::mutex mutex_;
  std::string lines_;      // guarded by mutex_
  bool finished_ = false;  // guarded by mutex_
  std::jthread thread_;
  std::unique_ptr<StreamClient> client_;
  Collect got_;
};

TEST_F(StreamClientTest, HandsOverWhatComesWhenItComes) {
  const StreamId one = client_->start({.path = "/lines"}, got_);
  const StreamId two = client_->start({.path = "/lines"}, got_);
  send("first ");
  EXPECT_TRUE(
      until([&] { return got_.received[one] == "first " && got_.received[two] == "first "; }));
  EXPECT_EQ(got_.status[one], 200);
  client_->cancel(two);
  send("second");
  EXPECT_TRUE(until([&] { return got_.received[one] == "first second"; }));
  send("", true);
  EXPECT_TRUE(until([&] { return got_.ended.contains(one); }));
  ASSERT_TRUE(got_.ended.at(one)) << got_.ended.at(one).error().message;
  EXPECT_EQ(got_.ended.at(one)->header("x-colour"), "blue");
  EXPECT_EQ(got_.received[two], "first ");
  EXPECT_FALSE(got_.ended.contains(two));
}

TEST_F(StreamClientTest, AStatusIsNotAnError) {
  const StreamId id = client_->start({.path = "/busy"}, got_);
  EXPECT_TRUE(until([&] { return got_.ended.contains(id); }));
  EXPECT_EQ(got_.ended.at(id)->status, 429);
  EXPECT_EQ(got_.ended.at(id)->header("retry-after"), "3");
  EXPECT_EQ(got_.received[id], "later");
}

TEST_F(StreamClientTest, EndsByTimeoutOrBecauseNobodyIsThere) {
  const StreamId late = client_->start({.path = "/lines", .timeout = milliseconds(100)}, got_);
  EXPECT_TRUE(until([&] { return got_.ended.contains(late); }));
  EXPECT_EQ(got_.ended.at(late).error().code, ErrorCode::kTimeout);
  ASSERT_TRUE(client_->configure({.base_urls = {"http://127.0.0.1:1"}}));
  const StreamId nowhere = client_->start({.path = "/"}, got_);
  EXPECT_TRUE(until([&] { return got_.ended.contains(nowhere); }));
  EXPECT_EQ(got_.ended.at(nowhere).error().code, ErrorCode::kUnavailable);
}

TEST_F(StreamClientTest, AWakeUpEndsTheWait) {
  const std::jthread waker([&] { client_->wake(); });
  const auto begun = std::chrono::steady_clock::now();
  client_->poll(seconds(60));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(30));
}

}  // namespace
}  // namespace searchsync::http
