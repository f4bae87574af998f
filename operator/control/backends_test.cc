#include "operator/control/backends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "lib/http/server.h"
#include "lib/kafka/producer.h"
#include "lib/testing/mock_kafka.h"

namespace searchsync::control {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A search engine that is away but for its banner.
class BrokenEngine {
 public:
  BrokenEngine() {
    server_.route(http::Method::kGet, "/", [this](const http::Request&) {
      return http::Response{
          .body = old_ ? R"({"version":{"distribution":"opensearch","number":"2.0.0"}})"
                       : R"({"version":{"distribution":"opensearch","number":"2.19.1"}})"};
    });
    server_.route(http::Method::kGet, "/{indices}",
                  [](const http::Request&) { return http::Response{.status = 503}; });
    EXPECT_TRUE(server_.start());
  }

  void become_old() { old_ = true; }
  std::string url() const { return "http://" + server_.address(); }

 private:
  std::atomic<bool> old_ = false;
  http::Server server_{{}};
};

TEST(Backends, AskAnEngineAnewWhoItIsAfterAFault) {
  BrokenEngine engine;
  model::SearchIndex index;
  index.metadata = {.name = "runs", .namespace_ = "default"};
  index.spec.index_name = "runs";
  index.spec.elasticsearch.urls = {engine.url()};
  const model::FolderSecrets secrets(std::nullopt);
  Backends backends;
  const auto fault = [&] {
    plan::ObservedIndex seen;
    backends.observe({index, secrets, {}}, {}, seen);
    return seen.engine_fault.value_or("none");
  };
  EXPECT_THAT(fault(), HasSubstr("503"));
  engine.become_old();
  EXPECT_THAT(fault(), HasSubstr("too old"));
}

// A search engine without an index, that counts who connects.
class EmptyEngine {
 public:
  EmptyEngine() {
    server_.route(http::Method::kGet, "/", [this](const http::Request&) {
      ++connects_;
      return http::Response{.body =
                                R"({"version":{"distribution":"opensearch","number":"2.19.1"}})"};
    });
    server_.route(http::Method::kGet, "/{indices}",
                  [](const http::Request&) { return http::Response{.body = "{}"}; });
    server_.route(http::Method::kGet, "/{alias}/_alias",
                  [](const http::Request&) { return http::Response{.status = 404, .body = "{}"}; });
    EXPECT_TRUE(server_.start());
  }

  int connects() const { return connects_; }
  std::string url() const { return "http://" + server_.address(); }

 private:
  std::atomic<int> connects_ = 0;
  http::Server server_{{}};
};

class OneSecret final : public model::SecretStore {
 public:
  ~OneSecret() override = default;
  Result<std::string> get(std::string_view, std::string_view) const override { return "text"; }
  Result<std::filesystem::path> file(std::string_view, std::string_view) const override {
    return fail(ErrorCode::kNotFound, "no file");
  }
};

TEST(Backends, AreSharedByAllThatReachThemInTheSameWay) {
  using Hashes = std::map<std::string, std::string>;
  EmptyEngine engine;
  const OneSecret secrets;
  Backends backends;
  const auto connects = [&](const std::string& namespace_, const std::string& name,
                            const std::string& credentials, const Hashes& hashes) {
    model::SearchIndex index;
    index.metadata = {.name = name, .namespace_ = namespace_};
    index.spec.index_name = name;
    index.spec.elasticsearch.urls = {engine.url()};
    if (!credentials.empty()) {
      index.spec.elasticsearch.credentials_secret_ref = model::SecretRef{credentials};
    }
    const int before = engine.connects();
    plan::ObservedIndex seen;
    backends.observe({index, secrets, hashes}, {}, seen);
    EXPECT_EQ(seen.engine_fault, std::nullopt);
    return engine.connects() - before;
  };
  // Whatever other secrets the index has, for its databases.
  EXPECT_EQ(connects("one", "a", "", {{"db-a", "1"}}), 1);
  EXPECT_EQ(connects("one", "b", "", {{"db-b", "2"}}), 0);
  EXPECT_EQ(connects("two", "c", "", {}), 0);
  EXPECT_EQ(connects("one", "a", "engine", {{"engine", "1"}, {"db-a", "1"}}), 1);
  EXPECT_EQ(connects("one", "b", "engine", {{"engine", "1"}, {"db-b", "2"}}), 0);
  EXPECT_EQ(connects("one", "b", "other", {{"engine", "1"}, {"other", "1"}}), 1);
  EXPECT_EQ(connects("two", "c", "engine", {{"engine", "1"}}), 1);
  EXPECT_EQ(connects("one", "a", "engine", {{"engine", "rotated"}}), 1);
}

TEST(Backends, TellForWhomSomethingArrivesWhileNobodyReads) {
  using enum Backends::Awake;
  EmptyEngine engine;
  testing::MockKafka kafka;
  for (const auto* topic : {"a", "b"}) kafka.create_topic(topic, 2);
  auto producer = kafka::Producer::create(kafka.config(), {}, [](const kafka::Delivery&) {});
  ASSERT_TRUE(producer);
  const auto arrive = [&](const std::string& topic) {
    ASSERT_TRUE((*producer)->send(topic, Partition(1), "key", "value", {}, 0));
    ASSERT_TRUE((*producer)->flush(std::chrono::seconds(30)));
  };
  const OneSecret secrets;
  const std::map<std::string, std::string> none;
  Backends backends;
  const auto observe = [&](const std::string& name, const std::string& topic,
                           Backends::Awake awake) {
    model::SearchIndex index;
    index.metadata = {.name = name, .namespace_ = "qa"};
    index.spec.index_name = name;
    index.spec.elasticsearch.urls = {engine.url()};
    index.spec.kafka.bootstrap_servers = kafka.config().bootstrap_servers;
    model::SourceBinding binding;
    binding.spec.source = model::KafkaSource{.topic = topic};
    plan::ObservedIndex seen;
    backends.observe({index, secrets, none, awake}, std::span(&binding, 1), seen);
    EXPECT_EQ(seen.kafka_fault, std::nullopt);
  };
  observe("one", "a", kNo);
  observe("two", "b", kNo);
  observe("three", "a", kYes);
  EXPECT_THAT(backends.woken(), IsEmpty());
  arrive("a");
  EXPECT_THAT(backends.woken(), ElementsAre("qa/one"));
  EXPECT_THAT(backends.woken(), IsEmpty()) << "it was told already";
  arrive("a");
  arrive("b");
  observe("one", "a", kNo);
  EXPECT_THAT(backends.woken(), ElementsAre("qa/two")) << "of the other it is observed";
  observe("one", "a", kYes);
  backends.forget("qa/two");
  arrive("a");
  arrive("b");
  EXPECT_THAT(backends.woken(), IsEmpty());
}

}  // namespace
}  // namespace searchsync::control
