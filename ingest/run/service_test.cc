#include "ingest/run/service.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>

#include "ingest/core/test_schema.h"
#include "lib/http/health.h"
#include "lib/kafka/kafka_test_support.h"
#include "lib/testing/mock_kafka.h"

namespace searchsync::ingest {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// Secrets in memory.
class Secrets final : public model::SecretStore {
 public:
  Result<std::string> get(std::string_view secret, std::string_view key) const override {
    if (secret == "tokens" && key == "tokens") return text;
    return fail(ErrorCode::kNotFound, "there is no such secret");
  }
  Result<std::filesystem::path> file(std::string_view, std::string_view) const override {
    return fail(ErrorCode::kUnsupported, "not as a file");
  }
  std::string text = "0123456789abcdef\n";
};

struct Answer {
  int status = 0;
  json body;
  httplib::Headers headers;

  std::string code() const { return body.at("error").at("code").get<std::string>(); }
  bool has(const std::string& header) const { return headers.contains(header); }
};

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() : config_{.name = "events", .bindings = {test_binding()}} {
    kafka_.create_topic("events", 4);
  }

  void start(const LogWriter::Options& options = {}) {
    auto writer = LogWriter::create(kafka_.config(), options, registry_, health_);
    ASSERT_TRUE(writer);
    writer_ = std::move(*writer);
    auto service = Service::create(config_, secrets_, *writer_, registry_);
    ASSERT_TRUE(service) << service.error().message;
    service_ = std::move(*service);
    server_ = std::make_unique<http::Server>(http::Server::Options{.body_bytes_max = 8 << 10});
    service_->add_routes(*server_);
    ASSERT_TRUE(server_->start());
    client_ = std::make_unique<httplib::Client>("http://" + server_->address());
    client_->set_keep_alive(true);
    client_->set_tcp_nodelay(true);
    client_->set_read_timeout(std::chrono::seconds(60));
  }

  Answer send(const std::string& path, const std::string& body,
              const std::string& type = "application/json", httplib::Headers headers = {}) {
    const auto response = client_->Post(path, headers, body, type);
    EXPECT_TRUE(response) << httplib::to_string(response.error());
    if (!response) return {};
    return {response->status, json::parse(response->body), response->headers};
  }

  // Rows of the topic, by place.
  std::map<std::pair<int, int64_t>, json> rows(size_t count) {
    std::vector<kafka::PartitionStart> starts;
    for (int p = 0; p < 4; ++p) {
      starts.push_back({{"events", Partition(p)}, kafka::StartOffset::beginning()});
    }
    const auto reader = kafka::make_reader(kafka_.config(), starts);
    std::vector<kafka::Record> read;
    EXPECT_TRUE(kafka::until([&] {
      kafka::poll_into(*reader, read);
      return read.size() >= count;
    }));
    std::map<std::pair<int, int64_t>, json> rows;
    for (const auto& one : read) rows[{one.partition, one.offset}] = json::parse(*one.value);
    return rows;
  }

  searchsync::testing::MockKafka kafka_;
  Secrets secrets_;
  model::IngestConfig config_;
  metrics::Registry registry_;
  http::Health health_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(ServiceTest, WhatIsAcknowledgedIsInTheTopicWhereTheReceiptSays) {
  start();
  const auto one = send("/events", R"({"domain":"a","id":"e-1"})");
  EXPECT_EQ(one.status, 202);
  EXPECT_EQ(one.body["accepted"], 1);
  const auto two =
      send("/events", "{\"domain\":\"a\"}\n{\"domain\":\"b\"}\n", "application/x-ndjson");
  EXPECT_EQ(two.body["accepted"], 2);
  const auto put = client_->Put("/events/a.example/bounced", "", "application/json");
  ASSERT_TRUE(put);
  EXPECT_EQ(put->status, 202) << put->body;
  const auto found = rows(4);
  const auto check = [&](const json& receipt, const char* domain) {
    const auto& row = found.at({receipt["partition"].get<int>(), receipt["offset"].get<int64_t>()});
    EXPECT_EQ(row["id"], receipt["eventId"]);
    EXPECT_EQ(row["domain"], domain);
  };
  EXPECT_EQ(one.body["receipts"][0]["eventId"], "e-1");
  check(one.body["receipts"][0], "a");
  check(two.body["receipts"][0], "a");
  check(two.body["receipts"][1], "b");
  EXPECT_EQ(two.body["receipts"][1]["index"], 1);
  check(json::parse(put->body)["receipts"][0], "a.example");
}

TEST_F(ServiceTest, AllOrNoneOrTheGoodOnes) {
  start();
  const std::string body = R"([{"domain":"a"},{"domain":5},{"domain":"c"}])";
  const auto none = send("/events", body);
  EXPECT_EQ(none.status, 400);
  EXPECT_EQ(none.code(), "invalid_events");
  EXPECT_EQ(
      none.body["error"]["faults"][0],
      json({{"index", 1}, {"field", "domain"}, {"reason", "expected a string, found a number"}}));
  const auto some = send("/events?onError=accept&receipts=none", body);
  EXPECT_EQ(some.status, 202);
  EXPECT_EQ(some.body["accepted"], 2);
  EXPECT_FALSE(some.body.contains("receipts"));
  EXPECT_EQ(some.body["rejected"][0]["index"], 1);
  EXPECT_EQ(rows(2).size(), 2u);
  const auto bad = send("/events?onError=accept", R"([{"domain":5}])");
  EXPECT_EQ(bad.status, 400) << "nothing good is in it";
  const auto metrics = registry_.render();
  EXPECT_THAT(metrics, ::testing::HasSubstr("searchsync_ingest_events_total{binding=\"event\","
                                            "result=\"accepted\"} 2\n"));
  EXPECT_THAT(metrics, ::testing::HasSubstr("searchsync_ingest_events_total{binding=\"event\","
                                            "result=\"rejected\"} 3\n"));
}

TEST_F(ServiceTest, EachRefusalSaysWhatItIs) {
  start();
  const auto check = [](const Answer& answer, int status, const std::string& code) {
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.code(), code) << answer.body;
  };
  check(send("/events", "{"), 400, "malformed");
  check(send("/events?onError=maybe", "{}"), 400, "bad_parameter");
  check(send("/events?verbose", "{}"), 400, "bad_parameter");
  check(send("/events", "{}", "text/plain"), 415, "unsupported_type");
  check(send("/events", "{}", "application/json", {{"Content-Encoding", "br"}}), 415,
        "unsupported_encoding");
  check(send("/events", std::string(5'000, ' ') + "{}"), 413, "payload_too_large");
  check(send("/events", std::string(9'000, ' ') + "{}"), 413, "payload_too_large");
  check(send("/events", "[{},{},{},{},{},{}]"), 413, "too_many_events");
  check(send("/other", "{}"), 404, "not_found");
  check(send("/events/a", "{}"), 404, "not_found");
  EXPECT_EQ(client_->Get("/events")->status, 405);
  EXPECT_EQ(client_->Get("/events")->get_header_value("Allow"), "POST, PUT");
  EXPECT_EQ(send("/events", R"({"domain":"a"})").status, 202) << "and goes on";
}

TEST_F(ServiceTest, OnlyThoseWithATokenMaySend) {
  config_.bindings[0].source.tokens_secret_ref = model::SecretRef{"tokens"};
  start();
  for (const char* wrong : {"", "Bearer wrong", "Basic 0123456789abcdef"}) {
    const auto answer =
        send("/events", R"({"domain":"a"})", "application/json", {{"Authorization", wrong}});
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer.code(), "unauthorized");
    EXPECT_TRUE(answer.has("WWW-Authenticate"));
  }
  EXPECT_EQ(send("/events", "{", "application/json").status, 401) << "before anything is read";
  const auto answer = send("/events", R"({"domain":"a"})", "application/json",
                           {{"Authorization", "Bearer 0123456789abcdef"}});
  EXPECT_EQ(answer.status, 202);
}

TEST_F(ServiceTest, WithoutItsTokensItDoesNotBegin) {
  config_.bindings[0].source.tokens_secret_ref = model::SecretRef{"gone"};
  auto writer = LogWriter::create(kafka_.config(), {}, registry_, health_);
  EXPECT_FALSE(Service::create(config_, secrets_, **writer, registry_));
  config_.bindings[0].source.tokens_secret_ref = model::SecretRef{"tokens"};
  secrets_.text = "short";
  const auto weak = Service::create(config_, secrets_, **writer, registry_);
  ASSERT_FALSE(weak);
  EXPECT_TRUE(weak.error().message.starts_with("secret tokens, entry tokens: token 1 has 5"));
}

TEST_F(ServiceTest, WhileKafkaIsAwayOneIsToldToComeBack) {
  start({.deadline = milliseconds(10'000), .silence_max = milliseconds(100)});
  ASSERT_EQ(send("/events", R"({"domain":"a"})").status, 202);
  kafka_.stop_broker(1);
  const auto lost = send("/events", R"([{"domain":"a","id":"1"},{"domain":"b","id":"2"}])");
  EXPECT_EQ(lost.status, 503);
  EXPECT_EQ(lost.code(), "not_acknowledged");
  EXPECT_TRUE(lost.has("Retry-After"));
  EXPECT_TRUE(lost.body["receipts"].empty());
  EXPECT_TRUE(kafka::until([&] { return health_.is_ready(); })) << "nothing waits any more";
  std::jthread another([&] {
    httplib::Client client("http://" + server_->address());
    (void)client.Post("/events", R"({"domain":"a"})", "application/json");
  });
  EXPECT_TRUE(kafka::until([&] { return !health_.is_ready(); }));
  const auto refused = send("/events", R"({"domain":"a"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.code(), "kafka_behind");
  EXPECT_TRUE(refused.has("Retry-After"));
  kafka_.start_broker(1);
  EXPECT_TRUE(kafka::until([&] { return send("/events", R"({"domain":"a"})").status == 202; }));
}

}  // namespace
}  // namespace searchsync::ingest
