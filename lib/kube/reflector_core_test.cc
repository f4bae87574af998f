#include "lib/kube/reflector_core.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace searchsync::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const ResourceType kType{.group = "", .version = "v1", .plural = "configmaps", .kind = "ConfigMap"};

// Says what it is told in words.
class Record final : public ReflectorSink {
 public:
  void apply(std::span<const Change> changes) override {
    for (const Change& change : changes) {
      said.push_back(fmt::format("{} {} {} {}",
                                 change.kind == Change::Kind::kPut ? "put" : "removed",
                                 to_string(change.key), change.uid, change.resource_version));
    }
  }
  void synced() override { said.push_back("synced"); }
  std::vector<std::string> take() { return std::exchange(said, {}); }
  std::vector<std::string> said;
};

std::string object(std::string_view name, std::string_view uid, int version) {
  return fmt::format(
      R"({{"metadata":{{"namespace":"a","name":"{}","uid":"{}","resourceVersion":"{}"}}}})", name,
      uid, version);
}
std::string page(int version, const std::string& items, std::string_view token = "") {
  return fmt::format(R"({{"metadata":{{"resourceVersion":"{}","continue":"{}"}},"items":[{}]}})",
                     version, token, items);
}
std::string event(std::string_view type, const std::string& what) {
  return fmt::format(R"({{"type":"{}","object":{}}})", type, what) + "\n";
}

class ReflectorCoreTest : public testing::Test {
 protected:
  ReflectorCoreTest() { restart({.type = kType, .page_limit = 2}); }
  void restart(ReflectorOptions options) { core_.emplace(std::move(options), 7); }

  // Waits as long as it says, and returns the path of the request it then sends.
  std::string request() {
    for (int i = 0; i < 5; ++i) {
      const auto todo = core_->next(now_);
      if (const auto* send = std::get_if<ReflectorCore::Send>(&todo)) return send->path;
      if (const auto* wait = std::get_if<ReflectorCore::Wait>(&todo)) {
        waited_ = wait->until - now_;
        now_ = wait->until;
      }
    }
    return "nothing";
  }
  void answer(const std::string& body, int status = 200, const char* retry_after = "") {
    core_->on_bytes(status, body, now_, record_);
    core_->on_end(ReflectorCore::ResponseEnd{status, retry_after}, now_, record_);
  }
  void bytes(std::string_view text) { core_->on_bytes(200, text, now_, record_); }
  bool cancels() { return std::holds_alternative<ReflectorCore::Cancel>(core_->next(now_)); }

  // Lists one object and begins a watch from version 10.
  void begin() {
    request();
    answer(page(10, object("x", "u", 5)));
    EXPECT_THAT(record_.take(), ElementsAre("put a/x u 5", "synced"));
    EXPECT_THAT(request(), StartsWith("/api/v1/configmaps?watch=true&resourceVersion=10&"
                                      "allowWatchBookmarks=true&timeoutSeconds="));
  }

  std::optional<ReflectorCore> core_;
  Record record_;
  ReflectorCore::Time now_{seconds(1'000)};
  ReflectorCore::Time::duration waited_{};
};

TEST_F(ReflectorCoreTest, AListTakesEffectWhenItIsWhole) {
  EXPECT_EQ(request(), "/api/v1/configmaps?limit=2");
  answer(page(10, object("x", "u", 5) + "," + object("y", "v", 6), "next"));
  EXPECT_THAT(record_.take(), ElementsAre());
  EXPECT_EQ(request(), "/api/v1/configmaps?limit=2&continue=next");
  answer(page(10, object("z", "w", 7)));
  EXPECT_THAT(record_.take(), ElementsAre("put a/x u 5", "put a/y v 6", "put a/z w 7", "synced"));
}

TEST_F(ReflectorCoreTest, ALaterListSaysOnlyWhatIsOther) {
  begin();
  bytes(event("ERROR", R"({"code":410})"));
  EXPECT_TRUE(cancels());
  EXPECT_EQ(request(), "/api/v1/configmaps?limit=2");
  answer(page(20, object("w", "n", 11) + "," + object("x", "u", 5)));
  EXPECT_THAT(record_.take(), ElementsAre("put a/w n 11", "synced"));
  request();
  answer("", 410);
  request();
  answer(page(30, object("x", "other", 25)));
  EXPECT_THAT(record_.take(),
              ElementsAre("removed a/w n 11", "removed a/x u 5", "put a/x other 25", "synced"));
}

TEST_F(ReflectorCoreTest, AnExpiredTokenBeginsTheListAnewAndAtLastAsksForAllAtOnce) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(request(), "/api/v1/configmaps?limit=2");
    answer(page(10 + i, object("x", "u", 5) + "," + object("y", "v", 6), "next"));
    EXPECT_EQ(request(), "/api/v1/configmaps?limit=2&continue=next");
    answer("", 410);
  }
  EXPECT_EQ(request(), "/api/v1/configmaps");
  answer(page(12, object("x", "u", 5)));
  EXPECT_THAT(record_.take(), ElementsAre("put a/x u 5", "synced"));
}

TEST_F(ReflectorCoreTest, ALostPageIsAskedForAgain) {
  request();
  answer(page(10, object("x", "u", 5) + "," + object("y", "v", 6), "next"));
  request();
  core_->on_end(fail(ErrorCode::kUnavailable, "reset"), now_, record_);
  EXPECT_EQ(core_->problem(), "reset");
  EXPECT_EQ(request(), "/api/v1/configmaps?limit=2&continue=next");
  answer(page(10, object("z", "w", 7)));
  EXPECT_EQ(core_->objects(), 3u);
  EXPECT_EQ(core_->problem(), "");
}

TEST_F(ReflectorCoreTest, EventsMayBeCutAnywhere) {
  begin();
  const std::string all =
      event("ADDED", object("y", "v", 11)) + event("MODIFIED", object("x", "u", 12)) +
      event("DELETED", object("y", "v", 13)) + event("MODIFIED", object("x", "other", 14)) +
      event("BOOKMARK", R"({"metadata":{"resourceVersion":"20"}})");
  for (const char c : all) bytes({&c, 1});
  EXPECT_THAT(record_.take(), ElementsAre("put a/y v 11", "put a/x u 12", "removed a/y v 11",
                                          "removed a/x u 12", "put a/x other 14"));
  bytes(event("ADDED", object("late", "l", 30)).substr(0, 70));
  core_->on_end(ReflectorCore::ResponseEnd{200, ""}, now_, record_);
  EXPECT_THAT(record_.take(), ElementsAre());
  EXPECT_EQ(core_->counters().torn, 1u);
  EXPECT_THAT(request(), HasSubstr("resourceVersion=20"));
}

TEST_F(ReflectorCoreTest, WhatCannotBeReadLeadsToAList) {
  const std::pair<std::string, Interruption> cases[] = {
      {"garbage\n", Interruption::kMalformed},
      {event("MODIFIED", object("x", "u", 9)), Interruption::kMalformed},  // goes back
      {std::string((3 << 20) + 1, 'x'), Interruption::kTooLong},
  };
  for (const auto& [text, why] : cases) {
    restart({.type = kType});
    begin();
    bytes(text);
    bytes(event("ADDED", object("y", "v", 11)));  // on its way already
    EXPECT_THAT(record_.take(), ElementsAre());
    EXPECT_EQ(core_->counters().interruptions[static_cast<size_t>(why)], 1u);
    EXPECT_TRUE(cancels());
    EXPECT_EQ(request(), "/api/v1/configmaps?limit=500");
  }
}

TEST_F(ReflectorCoreTest, ASilentWatchIsGivenUp) {
  begin();
  now_ += seconds(149);
  EXPECT_FALSE(cancels());
  bytes("\n");  // any byte is a sign of life
  now_ += seconds(149);
  EXPECT_FALSE(cancels());
  now_ += seconds(1);
  EXPECT_TRUE(cancels());
  EXPECT_THAT(core_->problem(), HasSubstr("nothing has come for 150 s"));
  EXPECT_THAT(request(), HasSubstr("resourceVersion=10"));
}

TEST_F(ReflectorCoreTest, AWatchThatEndsAsItShouldGoesOnAtOnce) {
  begin();
  now_ += seconds(100);
  core_->on_end(ReflectorCore::ResponseEnd{200, ""}, now_, record_);
  waited_ = {};
  EXPECT_THAT(request(), HasSubstr("watch=true"));
  EXPECT_EQ(waited_.count(), 0);
  core_->on_end(ReflectorCore::ResponseEnd{200, ""}, now_, record_);  // at once: no good sign
  EXPECT_THAT(request(), HasSubstr("watch=true"));
  EXPECT_GT(waited_.count(), 0);
  EXPECT_EQ(core_->problem(), "the watch ended at once");
}

TEST_F(ReflectorCoreTest, WaitsAsLongAsTheServerAsks) {
  begin();
  answer("", 429, "20");
  EXPECT_THAT(request(), HasSubstr("watch=true"));
  EXPECT_GE(waited_, seconds(20));
  EXPECT_LE(waited_, seconds(21));
  answer("", 503, "86400");
  request();
  EXPECT_LE(waited_, seconds(61));
}

TEST_F(ReflectorCoreTest, AServerThatWasRestoredIsListedAgain) {
  begin();
  for (int i = 0; i < 3; ++i) {
    answer(R"({"kind":"Status","message":"Too large resource version"})", 504);
    EXPECT_THAT(request(), i < 2 ? HasSubstr("watch=true") : HasSubstr("limit=2"));
  }
  answer(page(3, object("old", "o", 2)));  // before all we have seen
  EXPECT_THAT(record_.take(), ElementsAre("removed a/x u 5", "put a/old o 2", "synced"));
}

TEST_F(ReflectorCoreTest, RefusalsThatPassAreNoReasonToList) {
  begin();
  for (const int status : {401, 429, 503, 401, 503, 401}) {
    answer("", status);
    EXPECT_THAT(request(), HasSubstr("watch=true")) << status;
  }
}

TEST_F(ReflectorCoreTest, TooLongAPageIsAskedForInSmallerParts) {
  restart({.type = kType, .page_limit = 4, .page_bytes_max = 300});
  request();
  bytes(std::string(301, ' '));
  EXPECT_TRUE(cancels());
  EXPECT_EQ(request(), "/api/v1/configmaps?limit=2");
  bytes(std::string(301, ' '));
  EXPECT_TRUE(cancels());
  EXPECT_EQ(request(), "/api/v1/configmaps?limit=1");
}

TEST_F(ReflectorCoreTest, AsksForWhatItsOptionsSay) {
  restart(
      {.type = {.group = "apps", .version = "v1", .plural = "deployments", .kind = "Deployment"},
       .namespace_ = "qa",
       .label_selector = "a=b",
       .field_selector = "metadata.name=c",
       .content = Content::kMetadata});
  const auto todo = core_->next(now_);
  const auto& list = std::get<ReflectorCore::Send>(todo);
  EXPECT_EQ(list.path,
            "/apis/apps/v1/namespaces/qa/deployments?labelSelector=a%3Db&fieldSelector="
            "metadata.name%3Dc&limit=500");
  EXPECT_EQ(list.accept, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
  answer(page(1, ""));
  const auto next = core_->next(now_);
  EXPECT_EQ(std::get<ReflectorCore::Send>(next).accept,
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
}

}  // namespace
}  // namespace searchsync::kube
