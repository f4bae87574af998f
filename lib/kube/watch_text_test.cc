#include "lib/kube/watch_text.h"

#include <gtest/gtest.h>

namespace searchsync::kube {
namespace {

constexpr const char* kObject =
    R"({"metadata":{"namespace":"a","name":"b","uid":"u","resourceVersion":"7"},"é":{"n":1.50}})";

TEST(WatchText, ReadsEvents) {
  WatchText text(Scope::kNamespaced);
  for (const auto& [name, type] :
       {std::pair{"ADDED", WatchEvent::Type::kPut}, std::pair{"MODIFIED", WatchEvent::Type::kPut},
        std::pair{"DELETED", WatchEvent::Type::kDeleted}}) {
    const auto event =
        text.read_event(std::string(R"( {"type":")") + name + R"(", "object": )" + kObject + " }");
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_EQ(event->type, type);
    EXPECT_EQ(event->object.key, (ObjectKey{"a", "b"}));
    EXPECT_EQ(event->object.uid, "u");
    EXPECT_EQ(event->object.resource_version, "7");
    EXPECT_EQ(event->object.object, kObject);  // as it was written
  }
  const auto mark = text.read_event(
      R"({"object":{"kind":"X","metadata":{"resourceVersion":"9"}},"type":"BOOKMARK"})");
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->type, WatchEvent::Type::kBookmark);
  EXPECT_EQ(mark->object.resource_version, "9");
  const auto error = text.read_event(
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}})");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error_code, 410);
  EXPECT_EQ(error->message, "too old");
  EXPECT_EQ(text.read_event(R"({"type":"ERROR","object":{}})")->error_code, 500);
}

TEST(WatchText, RefusesWhatIsNoEvent) {
  constexpr const char* kNoValue =
      R"({"type":"ADDED","object":{"metadata":{"namespace":"a","name":"b","uid":"u",)"
      R"("resourceVersion":"7"},"data":nonsense}})";
  constexpr const char* kNoText =
      "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"namespace\":\"\xff\",\"name\":\"b\","
      "\"uid\":\"u\",\"resourceVersion\":\"7\"}}}";
  WatchText text(Scope::kNamespaced);
  for (const char* line :
       {"", "{", "null", "[]", R"({"type":"ADDED"})", R"({"object":{}})",
        R"({"type":"ADDED","object":null})", R"({"type":"ADDED","object":{"metadata":{}}})",
        R"({"type":"OTHER","object":{"metadata":{"name":"a"}}})",
        R"({"type":"BOOKMARK","object":{"metadata":{}}})",
        R"({"type":"ADDED","object":{"metadata":{"name":"b","uid":"u","resourceVersion":"7"}}})",
        R"({"type":"ADDED","object":{"metadata":{"namespace":"a","name":"b","uid":"u"}}})",
        kNoValue, kNoText}) {
    const auto event = text.read_event(line);
    ASSERT_FALSE(event) << line;
    EXPECT_EQ(event.error().code, ErrorCode::kMalformed);
  }
}

TEST(WatchText, ReadsPages) {
  WatchText text(Scope::kCluster);
  const auto page = text.read_page(
      R"({"kind":"XList","metadata":{"resourceVersion":"40","continue":"next"},"items":[
          {"metadata":{"name":"a","uid":"1","resourceVersion":"7"}} ,
          {"metadata":{"name":"b","uid":"2","resourceVersion":"8"},"spec":{}}]})");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->resource_version, "40");
  EXPECT_EQ(page->continue_token, "next");
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(page->items[0].object, R"({"metadata":{"name":"a","uid":"1","resourceVersion":"7"}})");
  EXPECT_EQ(page->items[1].key, (ObjectKey{"", "b"}));
  EXPECT_EQ(text.read_page(R"({"metadata":{"resourceVersion":"1"},"items":null})")->items.size(),
            0u);
  EXPECT_EQ(text.read_page(R"({"metadata":{"resourceVersion":"1"},"items":[]})")->continue_token,
            "");
  for (const char* body :
       {"", "{}", R"({"metadata":{},"items":[]})", R"({"metadata":{"resourceVersion":"1"}})",
        R"({"metadata":{"resourceVersion":"1"},"items":[5]})",
        R"({"metadata":{"resourceVersion":"1"},"items":[{}]})",
        R"({"metadata":{"resourceVersion":"1"},"items":[)"}) {
    EXPECT_FALSE(text.read_page(body)) << body;
  }
}

}  // namespace
}  // namespace searchsync::kube
