#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <latch>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "lib/http/client.h"
#include "query/run/command_paths.h"
#include "query/run/door.h"

namespace searchsync::query {
namespace {

using testing::HasSubstr;

constexpr const char* kToken = "a-1-12345678-ff";

// Says what it was told to say, and notes what it was asked.
class FakeOwnWrites final : public OwnWrites {
 public:
  const std::string& index() const override { return index_; }
  Waited wait(const std::vector<positions::Token>& tokens, Clock::time_point until) override {
    asked = tokens;
    asked_until = until;
    return answer;
  }

  Waited answer{.written = true};
  std::vector<positions::Token> asked;
  Clock::time_point asked_until{};

 private:
  const std::string index_ = "runs-12345678";
};

class TokenDoorTest : public testing::Test {
 protected:
  http::Response ask(std::map<std::string, std::string, std::less<>> headers,
                     OwnWrites* own_writes) {
    Door door({.index = "runs",
               .rules = {.catalog = FieldCatalog::create({"{}"}, {}).value()},
               .timeout = std::chrono::seconds(10),
               .own_writes = own_writes},
              registry_);
    const auto handler = door.open("x", [this](const Visit& visit) {
      target_ = visit.target;
      start_ = visit.start;
      return http::Response{.status = 404, .headers = {}};
    });
    target_.reset();
    http::Request request;
    request.path = "/v1/runs/x";
    request.path_parameters = {{"index", "runs"}};
    request.headers = std::move(headers);
    return handler(request);
  }

  static std::optional<std::string> header(const http::Response& response, std::string_view name) {
    for (const auto& [known, value] : response.headers) {
      if (known == name) return value;
    }
    return std::nullopt;
  }

  metrics::Registry registry_;
  FakeOwnWrites own_writes_;
  std::optional<std::string> target_;  // nothing: it was not let in
  std::chrono::steady_clock::time_point start_{};
};

TEST_F(TokenDoorTest, WithoutATokenNobodyWaits) {
  const auto response = ask({}, &own_writes_);
  EXPECT_EQ(target_, "runs");
  EXPECT_TRUE(own_writes_.asked.empty());
  EXPECT_EQ(header(response, "SearchSync-Token-Reached"), std::nullopt);
}

TEST_F(TokenDoorTest, TheGenerationThatHasItIsAsked) {
  const auto response =
      ask({{"searchsync-token", std::string(kToken) + "," + kToken}}, &own_writes_);
  EXPECT_EQ(response.status, 404) << "of whatever answer it is said";
  EXPECT_EQ(target_, "runs-12345678");
  EXPECT_EQ(own_writes_.asked.size(), 2U);
  EXPECT_EQ(own_writes_.asked_until - start_, std::chrono::seconds(5));
  EXPECT_EQ(header(response, "SearchSync-Token-Reached"), "true");
  EXPECT_EQ(header(response, "SearchSync-Token-Missing"), std::nullopt);
}

TEST_F(TokenDoorTest, WhoDidNotWaitLongEnoughIsTold) {
  own_writes_.answer = {.missing = "capture: away"};
  for (OwnWrites* own_writes :
       {static_cast<OwnWrites*>(&own_writes_), static_cast<OwnWrites*>(nullptr)}) {
    const auto response = ask({{"searchsync-token", kToken}}, own_writes);
    EXPECT_EQ(target_, "runs");
    EXPECT_EQ(header(response, "SearchSync-Token-Reached"), "false");
    EXPECT_THAT(header(response, "SearchSync-Token-Missing").value_or(""), HasSubstr("capture: "));
  }
}

TEST_F(TokenDoorTest, TheWaitIsAsAskedButEndsBeforeTheDeadline) {
  const auto waits = [&](const char* millis) {
    const auto response =
        ask({{"searchsync-token", kToken}, {"searchsync-token-wait", millis}}, &own_writes_);
    EXPECT_EQ(response.status, 404) << millis;
    return own_writes_.asked_until - start_;
  };
  EXPECT_EQ(waits("0"), std::chrono::seconds(0));
  EXPECT_EQ(waits("1500"), std::chrono::milliseconds(1500));
  EXPECT_EQ(waits("300000"), std::chrono::seconds(8));
}

TEST_F(TokenDoorTest, WhatCannotBeReadIsRefused) {
  for (const auto& [token, wait] :
       std::vector<std::pair<std::string, std::string>>{{"", "1"},
                                                        {"x", "1"},
                                                        {kToken, ""},
                                                        {kToken, "-1"},
                                                        {kToken, "1s"},
                                                        {kToken, "300001"},
                                                        {kToken, "99999999999999999999"}}) {
    const auto response =
        ask({{"searchsync-token", token}, {"searchsync-token-wait", wait}}, &own_writes_);
    EXPECT_EQ(response.status, 400) << token << " " << wait;
    EXPECT_THAT(response.body, HasSubstr("SearchSync-Token"));
    EXPECT_EQ(target_, std::nullopt);
  }
}

TEST_F(TokenDoorTest, TooManyWhoWaitAreSentAway) {
  own_writes_.answer = {.refused = true};
  const auto response = ask({{"searchsync-token", kToken}}, &own_writes_);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(header(response, "Retry-After"), "1");
  EXPECT_EQ(target_, std::nullopt);
}

// What needs no database.
class CommandPathsTest : public testing::Test {
 protected:
  explicit CommandPathsTest(std::optional<model::RateLimitSpec> rate_limit = std::nullopt)
      : pool_({.conninfo = []() -> Result<std::string> {
          return fail(ErrorCode::kNotFound, "a password, perhaps");
        }}) {
    rules_.commands = std::vector<std::string>{"add"};
    door_.emplace(Door::Options{.index = "runs", .rules = rules_}, registry_);
    paths_.emplace(
        model::CommandsSpec{
            .functions = {{.name = "add", .function = "shop.add", .arguments = {{.name = "id"}}},
                          {.name = "drop", .function = "shop.drop"}},
            .rate_limit = rate_limit},
        pool_, *door_);
    paths_->add_routes(server_);
    EXPECT_TRUE(server_.start());
    client_ = http::Client::create({.base_urls = {"http://" + server_.address()}}).value();
  }

  http::ClientResponse call(std::string name, std::string body) {
    auto response = client_->request(
        {.method = "POST", .path = "/rpc/" + name, .headers = {}, .body = std::move(body)});
    EXPECT_TRUE(response) << response.error().message;
    return std::move(*response);
  }

  metrics::Registry registry_;
  Rules rules_{.catalog = FieldCatalog::create({"{}"}, {}).value()};
  CommandPool pool_;
  std::optional<Door> door_;
  std::optional<CommandPaths> paths_;
  http::Server server_{{.threads = 2}};
  std::unique_ptr<http::Client> client_;
};

TEST_F(CommandPathsTest, OnlyWhatIsListedCanBeCalled) {
  for (const char* name : {"nothing", "drop", "shop.add", "Add", "add%20", "pg_sleep"}) {
    const auto response = call(name, R"({"id":"1"})");
    EXPECT_EQ(response.status, 404) << name;
    EXPECT_THAT(response.body, HasSubstr("unknown_function")) << name;
  }
  EXPECT_EQ(client_->request({.path = "/rpc/add", .headers = {}, .body = {}})->status, 405);
}

TEST_F(CommandPathsTest, ArgumentsAreCheckedBeforeTheDatabaseIsAsked) {
  const auto response = call("add", R"({"id":1})");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr(R"("path":"id")"));
}

TEST_F(CommandPathsTest, ADatabaseThatIsAwayIsSaidWithoutWhatItIsCalled) {
  const auto response = call("add", R"({"id":"1"})");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("commands_unavailable"));
  EXPECT_THAT(response.body, testing::Not(HasSubstr("password")));
  EXPECT_EQ(response.header("retry-after"), "1");
}

// Threads that wait for a connection are threads that queries do not get.
TEST(CommandPool, OnlySoManyWaitForAConnection) {
  std::latch may_fail(1);
  CommandPool pool({.conninfo = [&may_fail]() -> Result<std::string> {
                      may_fail.wait();
                      return fail(ErrorCode::kNotFound, "no secret");
                    },
                    .connections = 1});
  std::mutex mutex;
  std::condition_variable changed;
  std::map<CommandPool::Failure::Kind, size_t> failures;
  const auto count = [&](CommandPool::Failure::Kind kind) {
    const std::lock_guard lock(mutex);
    ++failures[kind];
    changed.notify_all();
  };
  std::vector<std::jthread> callers;
  for (size_t i = 0; i < CommandPool::kWaitersMax + 2; ++i) {
    callers.emplace_back([&] {
      count(pool.run({}, CommandPool::Clock::now() + std::chrono::hours(1)).error().kind);
    });
  }
  using enum CommandPool::Failure::Kind;
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(
        changed.wait_for(lock, std::chrono::minutes(1), [&] { return failures[kBusy] > 0; }));
  }
  may_fail.count_down();
  callers.clear();
  EXPECT_EQ(failures[kBusy], 1U);
  EXPECT_EQ(failures[kAway], CommandPool::kWaitersMax + 1);
}

class LimitedCommandPathsTest : public CommandPathsTest {
 protected:
  LimitedCommandPathsTest() : CommandPathsTest(model::RateLimitSpec{.per_second = 1, .burst = 2}) {}
};

TEST_F(LimitedCommandPathsTest, CommandsHaveALimitOfTheirOwn) {
  const auto ask = door_->open("x", [](const Visit&) { return http::Response{.headers = {}}; });
  for (int i = 0; i < 2; ++i) EXPECT_EQ(call("add", "{}").status, 400) << i;
  const auto refused = call("add", "{}");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("rate_limited"));
  EXPECT_EQ(refused.header("retry-after"), "1");
  EXPECT_EQ(ask(http::Request{}).status, 200) << "others are not commands";
}

}  // namespace
}  // namespace searchsync::query
