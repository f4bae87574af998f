#include "lib/kube/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace searchsync::kube {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const ResourceType kDeployments{
    .group = "apps", .version = "v1", .plural = "deployments", .kind = "Deployment"};
const ResourceType kNodes{
    .group = "", .version = "v1", .plural = "nodes", .kind = "Node", .scope = Scope::kCluster};

// Answers what it was told to, and remembers what it was asked.
class Script final : public Transport {
 public:
  Result<http::ClientResponse> send(const http::ClientRequest& request) override {
    requests.push_back(request);
    if (answers.empty()) return http::ClientResponse{.status = 200, .headers = {}, .body = "{}"};
    auto answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }
  std::string sent() const {
    const http::ClientRequest& last = requests.back();
    std::string text = last.method + " " + last.path;
    for (const auto& [name, value] : last.headers) {
      if (name == "Content-Type") text += " " + value;
    }
    return last.body.empty() ? text : text + " " + last.body;
  }

  std::deque<Result<http::ClientResponse>> answers;
  std::vector<http::ClientRequest> requests;
};

TEST(KubeClient, SendsWhatTheServerExpects) {
  Script script;
  Client client(script);
  const ObjectKey web{"qa", "web"};
  const ObjectKey node{"", "n1"};
  const std::pair<std::function<void()>, const char*> cases[] = {
      {[&] { client.get(kDeployments, web).value(); },
       "GET /apis/apps/v1/namespaces/qa/deployments/web"},
      {[&] { client.get(kNodes, node).value(); }, "GET /api/v1/nodes/n1"},
      {[&] { client.create(kDeployments, "qa", "{}").value(); },
       "POST /apis/apps/v1/namespaces/qa/deployments application/json {}"},
      {[&] { client.replace(kDeployments, web, "{}", Subresource::kScale).value(); },
       "PUT /apis/apps/v1/namespaces/qa/deployments/web/scale application/json {}"},
      {[&] { client.apply(kDeployments, web, "{}").value(); },
       "PATCH /apis/apps/v1/namespaces/qa/deployments/web?fieldManager=searchsync&force=true "
       "application/apply-patch+yaml {}"},
      {[&] {
         const ApplyOptions options{.field_manager = "a b", .ownership = Ownership::kKeep};
         client.apply(kDeployments, web, "{}", options, Subresource::kStatus).value();
       },
       "PATCH /apis/apps/v1/namespaces/qa/deployments/web/status?fieldManager=a%20b "
       "application/apply-patch+yaml {}"},
      {[&] { client.apply(kNodes, node, "{}", {.dry_run = DryRun::kYes}).value(); },
       "PATCH /api/v1/nodes/n1?fieldManager=searchsync&force=true&dryRun=All "
       "application/apply-patch+yaml {}"},
      {[&] { client.merge_patch(kNodes, node, "{}").value(); },
       "PATCH /api/v1/nodes/n1 application/merge-patch+json {}"},
      {[&] { client.merge_patch(kNodes, node, "{}", DryRun::kYes).value(); },
       "PATCH /api/v1/nodes/n1?dryRun=All application/merge-patch+json {}"},
      {[&] {
         client
             .remove(kNodes, node,
                     {.propagation = Propagation::kForeground, .uid = "u", .resource_version = "7"})
             .value();
       },
       R"(DELETE /api/v1/nodes/n1 application/json {"apiVersion":"v1","kind":"DeleteOptions",)"
       R"("preconditions":{"resourceVersion":"7","uid":"u"},"propagationPolicy":"Foreground"})"},
  };
  for (const auto& [call, expected] : cases) {
    call();
    EXPECT_EQ(script.sent(), expected);
  }
  script.answers.push_back(http::ClientResponse{
      .status = 200,
      .headers = {},
      .body = R"({"metadata":{"resourceVersion":"9","continue":"c"},"items":[{"a":1}]})"});
  const auto page = client.list(
      kDeployments,
      {.label_selector = "a in (b)", .field_selector = "metadata.name=x", .continue_token = "t+"});
  ASSERT_TRUE(page);
  EXPECT_EQ(script.sent(),
            "GET /apis/apps/v1/deployments?labelSelector=a%20in%20%28b%29&fieldSelector="
            "metadata.name%3Dx&limit=500&continue=t%2B");
  EXPECT_EQ(page->items, (std::vector<std::string>{R"({"a":1})"}));
  EXPECT_EQ(page->resource_version, "9");
  EXPECT_EQ(page->continue_token, "c");
}

TEST(KubeClient, A429IsSentAgainWithinBounds) {
  const auto busy = [](const char* after) {
    return http::ClientResponse{.status = 429, .headers = {{"retry-after", after}}, .body = ""};
  };
  Script script;
  Client client(script, {.retries_max = 2});
  script.answers = {busy("0"), busy("0")};
  EXPECT_TRUE(client.get(kNodes, {"", "n"}));
  EXPECT_EQ(script.requests.size(), 3u);
  script.answers = {busy("0"), busy("0"), busy("0")};
  EXPECT_EQ(client.get(kNodes, {"", "n"}).error().reason, ApiReason::kTooManyRequests);
  EXPECT_EQ(script.requests.size(), 6u);
  script.answers = {busy("60")};  // longer than we would wait
  const auto refused = client.get(kNodes, {"", "n"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().retry_after, std::chrono::seconds(60));
  EXPECT_EQ(script.requests.size(), 7u);
  script.answers = {http::ClientResponse{.status = 503, .headers = {}, .body = ""}};
  EXPECT_EQ(client.create(kNodes, "", "{}").error().reason, ApiReason::kUnavailable);
  EXPECT_EQ(script.requests.size(), 8u);  // it may have been carried out
}

TEST(KubeClient, SaysWhenThereIsNoAnswerOrNoneToRead) {
  Script script;
  Client client(script);
  script.answers = {fail(ErrorCode::kTimeout, "late")};
  EXPECT_EQ(client.get(kNodes, {"", "n"}).error().reason, ApiReason::kTimeout);
  script.answers = {fail(ErrorCode::kNotFound, "no token file")};
  const auto unreachable = client.get(kNodes, {"", "n"});
  ASSERT_FALSE(unreachable);
  EXPECT_EQ(unreachable.error().reason, ApiReason::kUnavailable);
  EXPECT_EQ(unreachable.error().code, ErrorCode::kUnavailable);
  for (const char* body : {"", "[]", "{}", R"({"metadata":{},"items":5})"}) {
    script.answers = {http::ClientResponse{.status = 200, .headers = {}, .body = body}};
    EXPECT_EQ(client.list(kNodes, {}).error().reason, ApiReason::kMalformed) << body;
  }
}

}  // namespace
}  // namespace searchsync::kube
