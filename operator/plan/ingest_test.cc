// Events that come over HTTP: their topic, the processes that take them, what is said of them.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/model/pipeline.h"
#include "operator/plan/fake_world.h"
#include "operator/plan/test_resources.h"
#include "operator/plan/topics.h"
#include "operator/plan/workloads.h"

namespace searchsync::plan {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class IngestPlanTest : public testing::Test {
 protected:
  IngestPlanTest() : world_(7) {
    for (const auto* table : kTables) world_.add_source(table, 5);
  }

  void declare(Declared declared) { world_.declare(resources(declared)); }

  Plan settle(int ticks = 40) {
    Plan last;
    for (int i = 0; i < ticks; ++i) {
      world_.pass(seconds(2));
      world_.work(200);
      last = plan(world_.observe(), {}, world_.now());
      for (const auto& step : last.steps) {
        done_.push_back(describe(step.action));
        world_.execute(step);
      }
      EXPECT_EQ(world_.broken_invariant(), "");
    }
    return last;
  }

  size_t place(const std::string& start) const {
    const auto found =
        std::ranges::find_if(done_, [&](const auto& done) { return done.starts_with(start); });
    return static_cast<size_t>(found - done_.begin());
  }

  bool runs() const { return world_.workloads().contains("ingest-test-runs"); }

  static const BindingStatus& click(const Plan& plan) {
    const auto found = std::ranges::find(plan.bindings, "click", &BindingStatus::name);
    EXPECT_NE(found, plan.bindings.end());
    return *found;
  }

  FakeWorld world_;
  std::vector<std::string> done_;
};

TEST_F(IngestPlanTest, TheTopicIsMadeThenTheProcessesThenTheIndexServes) {
  declare({.events = true});
  const Plan plan = settle();
  EXPECT_LT(place(fmt::format("create topic {} (8 partitions)", kEventTopic)),
            place("run ingest-test-runs (1 of ingest)"));
  EXPECT_LT(place("run ingest-test-runs"), done_.size());
  EXPECT_EQ(plan.indices.at(0).phase, Phase::kServing);
  EXPECT_TRUE(plan.steps.empty());
  EXPECT_EQ(click(plan).state, "Running");
  EXPECT_EQ(click(plan).message,
            "events are taken at http://127.0.0.1:8080/clicks, /runs/{run_id}/clicks");
}

TEST_F(IngestPlanTest, EventsAreStillTakenWhileTheIndexIsSuspended) {
  declare({.events = true});
  settle();
  declare({.suspend = true, .events = true});
  settle(5);
  EXPECT_TRUE(runs());
}

TEST_F(IngestPlanTest, WithoutHttpSourcesNothingTakesEventsAndTheTopicStays) {
  declare({.events = true});
  settle();
  declare({});
  settle();
  EXPECT_FALSE(runs());
  EXPECT_TRUE(world_.has_topic(kEventTopic));
  EXPECT_EQ(place("delete topic " + std::string(kEventTopic)), done_.size());
}

TEST_F(IngestPlanTest, NoDeletionTakesTheEvents) {
  declare({.events = true, .deletion_policy = model::DeletionPolicy::kDelete});
  settle();
  world_.declare({});
  settle();
  EXPECT_FALSE(runs());
  EXPECT_TRUE(world_.indices().empty());
  EXPECT_TRUE(world_.has_topic(kEventTopic));
}

TEST_F(IngestPlanTest, ReadyNeedsAProcessUnlessNoneIsDeclared) {
  declare({.events = true});
  settle();
  auto observed = world_.observe();
  const auto ready = [&] {
    const Plan plan = plan::plan(observed, {}, world_.now());
    const auto& conditions = plan.indices.at(0).conditions;
    return std::pair(*std::ranges::find(conditions, "Ready", &Condition::type), click(plan));
  };
  EXPECT_EQ(ready().first.reason, "Serving");
  for (auto& workload : observed.workloads) {
    if (workload.role != Role::kIngest) continue;
    workload.processes = {
        {.name = "ingest", .state = ProcessState::kBackoff, .message = "no tls.crt"}};
  }
  auto [condition, binding] = ready();
  EXPECT_EQ(condition.reason, "IngestNotReady");
  EXPECT_EQ(condition.message, "ingest is Backoff: no tls.crt");
  EXPECT_EQ(binding.state, "Waiting");
  EXPECT_EQ(binding.message, condition.message);

  observed.resources = resources({.events = true, .ingest_replicas = 0});
  std::tie(condition, binding) = ready();
  EXPECT_EQ(condition.reason, "Serving");
  EXPECT_EQ(binding.state, "Running");
  EXPECT_EQ(binding.message, "spec.ingest.replicas is 0: no events are taken");
}

TEST(IngestWorkload, ReadsItsOwnSecretsAndHearsOnlyOfEvents) {
  auto all = resources({.events = true});
  auto& index = all.indices[0];
  Observed observed;
  EXPECT_EQ(ingest_workload(observed, index, resources({}).bindings), std::nullopt);
  index.spec.elasticsearch.credentials_secret_ref = model::SecretRef{"engine"};
  index.spec.kafka.credentials_secret_ref = model::SecretRef{"kafka"};
  auto& http = std::get<model::HttpSource>(all.bindings[0].spec.source);
  http.tokens_secret_ref = model::SecretRef{"tokens"};
  const auto plain = ingest_workload(observed, index, all.bindings);
  EXPECT_EQ(plain->secrets, (std::set<std::string>{"kafka", "tokens"}));
  EXPECT_EQ(plain->scheme, Scheme::kHttp);

  index.spec.mappings.text = "{}";
  index.spec.ingest.replicas = 7;
  all.bindings[0].spec.fields.clear();
  auto same = ingest_workload(observed, index, all.bindings);
  EXPECT_EQ(same->hash, plain->hash);
  EXPECT_EQ(same->replicas, 7);
  observed.secret_hashes["tokens"] = "rotated";
  EXPECT_NE(ingest_workload(observed, index, all.bindings)->hash, plain->hash);

  index.spec.ingest.tls_secret_ref = model::SecretRef{"tls"};
  const auto secure = ingest_workload(observed, index, all.bindings);
  EXPECT_EQ(secure->scheme, Scheme::kHttps);
  EXPECT_TRUE(secure->secrets.contains("tls"));
  const auto config = model::parse_ingest_config(secure->config);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->bindings.at(0).source, http);
}

// A worker need not start anew because other senders are trusted.
TEST(IngestWorkload, IsNoConcernOfTheWorkers) {
  auto all = resources({.events = true});
  const auto hash = [&] {
    return worker_workload({}, {.index = all.indices[0],
                                .bindings = all.bindings,
                                .generation = Generation(1),
                                .generation_index = IndexName("runs-1"),
                                .document_log = "log"})
        .hash;
  };
  const auto before = hash();
  all.indices[0].spec.ingest.replicas = 5;
  auto& http = std::get<model::HttpSource>(all.bindings[0].spec.source);
  http.tokens_secret_ref = model::SecretRef{"tokens"};
  http.limits.events_max = 5;
  EXPECT_EQ(hash(), before);
}

TEST(EventTopic, KeepsWhatIsDeclared) {
  auto all = resources({.events = true});
  auto& http = std::get<model::HttpSource>(all.bindings[0].spec.source);
  const auto config = [&] { return event_topic(all.indices[0], http)->config; };
  EXPECT_EQ(config().at("retention.ms"), "-1");
  EXPECT_EQ(config().at("cleanup.policy"), "delete");
  http.topic.retention = hours(1);
  EXPECT_EQ(config().at("retention.ms"), "3600000");
  http.topic = {.name = kEventTopic, .cleanup = model::TopicCleanup::kCompact};
  EXPECT_EQ(config(), (std::map<std::string, std::string>{{"cleanup.policy", "compact"}}));
  EXPECT_EQ(event_topic(all.indices[0], model::KafkaSource{.topic = "t"}), std::nullopt);
}

}  // namespace
}  // namespace searchsync::plan
