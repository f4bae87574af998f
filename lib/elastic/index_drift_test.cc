#include "lib/elastic/index_drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace searchsync::elastic {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using Phrases = std::vector<std::string>;

Phrases drift(const std::string& mappings, const std::string& found,
              const std::string& settings = "{}", const std::string& found_settings = "{}") {
  return index_drift(R"({"mappings":)" + mappings + R"(,"settings":)" + settings + "}",
                     {.name = IndexName("runs-1"), .mappings = found, .settings = found_settings});
}

TEST(IndexDrift, WhatAnEngineMakesOfADeclarationIsNone) {
  struct Case {
    std::string declared, found;
  };
  const Case cases[] = {
      {R"({"properties":{"a":{"type":"object","properties":{"b":{"type":"long"}}}}})",
       R"({"properties":{"a":{"properties":{"b":{"type":"long"}}}}})"},
      {R"({"properties":{"a.b":{"type":"keyword"},"a.c.d":{"type":"keyword"}}})",
       R"({"properties":{"a":{"properties":{"b":{"type":"keyword"},
           "c":{"properties":{"d":{"type":"keyword"}}}}}}})"},
      {R"({"dynamic":false,"properties":{"a":{"type":"keyword","ignore_above":"256","index":true,
           "copy_to":"b","boost":1,"meta":null},"b":{"type":"text"}}})",
       R"({"dynamic":"false","properties":{"a":{"type":"keyword","ignore_above":256,
           "copy_to":["b"],"boost":1.0},"b":{"type":"text"}}})"},
      {R"({"properties":{"a":{"type":"text","index_prefixes":{}}}})",
       R"({"properties":{"a":{"type":"text","index_prefixes":{"min_chars":2,"max_chars":5}}}})"},
      {R"({"properties":{"j":{"type":"join","relations":{"a":["b"]}}}})",
       R"({"properties":{"j":{"type":"join","eager_global_ordinals":true,
           "relations":{"a":"b"}}}})"},
      {R"({"dynamic_templates":[{"x":{"match":"*","mapping":{"type":"keyword"}}}]})",
       R"({"dynamic_templates":[{"x":{"match":"*","mapping":{"type":"keyword"}}}]})"},
  };
  for (const auto& [declared, found] : cases) {
    EXPECT_EQ(drift(declared, found), Phrases{}) << declared;
  }
}

TEST(IndexDrift, FieldsThatDocumentsMayBringAreNone) {
  const std::string found = R"({"dynamic":"true","properties":{"a":{"type":"keyword"},
      "new":{"type":"text","fields":{"keyword":{"type":"keyword"}}},
      "o":{"dynamic":"strict","properties":{"new":{"properties":{"x":{"type":"long"}}}}},
      "p":{"properties":{"new":{"type":"long"}}}}})";
  const std::string fields = R"("properties":{"a":{"type":"keyword"},"p":{"type":"object"},
      "o":{"type":"object","dynamic":"strict"}})";
  EXPECT_THAT(drift("{" + fields + "}", found), ElementsAre("field o.new is not declared"));
  EXPECT_THAT(drift(R"({"dynamic":"strict",)" + fields + "}", found),
              ElementsAre("dynamic is true, not strict", "field new is not declared",
                          "field o.new is not declared", "field p.new is not declared"));
}

TEST(IndexDrift, WhatOthersLeftIsNone) {
  const std::string body = R"({"settings":{"index.codec":"default"},"mappings":{"dynamic":"strict",
      "properties":{"a":{"type":"long"},"b":{"type":"long"},"c":{"type":"long"}}}})";
  const IndexState found{.name = IndexName("runs-1"),
                         .mappings = R"({"dynamic":"strict","properties":{"a":{"type":"keyword"},
                             "b":{"type":"long"},"former":{"type":"long"}}})",
                         .settings = R"({"index.codec":"best_compression"})"};
  EXPECT_THAT(index_drift(body, found, Before::kOthers),
              ElementsAre("field a: type is keyword, not long", "field c is missing"));
  EXPECT_THAT(index_drift(body, found), SizeIs(4));
}

TEST(IndexDrift, SaysWhatWasChanged) {
  struct Case {
    std::string declared, found, phrase;
  };
  const Case cases[] = {
      {R"({"properties":{"a":{"type":"keyword"}}})",
       R"({"properties":{"a":{"type":"keyword","fields":{"t":{"type":"text"}}}}})",
       "field a.t is not declared"},
      {R"({"properties":{"a":{"type":"keyword","ignore_above":256}}})",
       R"({"properties":{"a":{"type":"keyword","ignore_above":100}}})",
       "field a: ignore_above is 100, not 256"},
      {R"({"properties":{"a":{"properties":{"b":{"type":"keyword"}}}}})",
       R"({"properties":{"a":{"type":"object"}}})", "field a.b is missing"},
      {R"({"_meta":{"team":"qa"}})", R"({"_meta":{"team":"ops","searchsync":{}}})",
       "_meta was changed"},
      {R"({"properties":{"a":{"type":"text","analyzer":")" + std::string(200, 'x') + R"("}}})",
       R"({"properties":{"a":{"type":"text","analyzer":"y"}}})",
       "field a: analyzer is y, not " + std::string(80, 'x') + "..."},
  };
  for (const auto& [declared, found, phrase] : cases) {
    EXPECT_THAT(drift(declared, found), ElementsAre(phrase)) << declared;
  }
}

TEST(IndexDrift, OfSettingsThoseThatTheUserDeclared) {
  const std::string declared = R"({"index.number_of_replicas":1,"index.refresh_interval":"-1",
      "index.gc_deletes":"1h","index.max_result_window":500,"index.hidden":true,
      "index.sort.field":"a","index.left.out":7})";
  EXPECT_EQ(drift("{}", "{}", declared,
                  R"({"index.number_of_replicas":"5","index.refresh_interval":"1s",
                      "index.gc_deletes":"1s","index.max_result_window":"500",
                      "index.hidden":"true","index.sort.field":["a"],
                      "index.uuid":"u","index.blocks.write":"true"})"),
            Phrases{});
  EXPECT_THAT(drift("{}", "{}", declared, R"({"index.max_result_window":"10"})"),
              ElementsAre("setting index.max_result_window is 10, not 500"));
}

TEST(IndexDrift, IsBounded) {
  std::string found = R"({"properties":{)";
  for (int i = 0; i < 30; ++i) {
    found += (i == 0 ? "" : ",") + ("\"f" + std::to_string(i)) + R"(":{"type":"long"})";
  }
  const auto phrases = drift(R"({"dynamic":"strict"})", found + "}}");
  EXPECT_THAT(phrases, SizeIs(kDriftPhrasesMax));
  EXPECT_EQ(phrases.back(), "and 23 more");
  std::string name = "n";
  for (int i = 0; i < 200; ++i) name += "ü";
  EXPECT_THAT(
      drift(R"({"dynamic":"strict"})", R"({"properties":{")" + name + R"(":{"type":"long"}}})"),
      ElementsAre("field " + name.substr(0, 193) + "..."))
      << "not in the middle of a character";
  for (const auto* wrong : {"", "[]", "1", R"({"properties":[]})", R"({"properties":{"a":1}})"}) {
    EXPECT_EQ(drift("{}", wrong), Phrases{}) << wrong;
    EXPECT_EQ(drift(R"({"properties":7})", wrong), Phrases{}) << wrong;
  }
  EXPECT_EQ(index_drift("", {}), Phrases{});
}

}  // namespace
}  // namespace searchsync::elastic
