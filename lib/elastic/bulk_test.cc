#include "lib/elastic/bulk.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/elastic/json_text.h"
#include "lib/http/client.h"

namespace searchsync::elastic {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(BulkEncode, WritesOneLineAnActionAndOneADocument) {
  std::string body;
  append_index(body, "7", (int64_t{1} << 48) | 5, R"({"a":1})");
  append_delete(body, "8", 1);
  EXPECT_EQ(
      body,
      "{\"index\":{\"_id\":\"7\",\"version\":281474976710661,\"version_type\":\"external_gte\"}}\n"
      "{\"a\":1}\n"
      "{\"delete\":{\"_id\":\"8\",\"version\":1,\"version_type\":\"external_gte\"}}\n");
}

TEST(BulkEncode, SaysWhereAnOperationGoesIfNotWhereTheRequestDoes) {
  std::string body;
  append_index(body, "7", 5, "{}", {.index = "runs-1-2026-11-29.Write", .routing = "s\"1"});
  append_delete(body, "8", 1, {.index = "runs-1-2026-11-28.Write"});
  EXPECT_EQ(body, R"({"index":{"_id":"7","_index":"runs-1-2026-11-29.Write","routing":"s\"1",)"
                  R"("version":5,"version_type":"external_gte"}})"
                  "\n{}\n"
                  R"({"delete":{"_id":"8","_index":"runs-1-2026-11-28.Write",)"
                  R"("version":1,"version_type":"external_gte"}})"
                  "\n");
}

TEST(BulkEncode, EscapesTheId) {
  for (const std::string& id : {std::string("a\"b\\c"), std::string("tab\tnew\nline\r"),
                                std::string("\x01\x1f\x7f"), std::string("\xc3\xa9\xe2\x82\xac"),
                                std::string("nul\0end", 7), std::string("{\"index\":{}}\n")}) {
    std::string body;
    append_delete(body, id, 1);
    EXPECT_EQ(body.find('\n'), body.size() - 1);
    EXPECT_EQ(nlohmann::json::parse(body)["delete"]["_id"], id);
  }
}

TEST(BulkEncodeDeathTest, RefusesWhatWouldBreakTheWholeRequest) {
  std::string body;
  EXPECT_DEATH(append_index(body, "1", 1, "{\n}"), "document");
  EXPECT_DEATH(append_delete(body, "", 1), "id");
  EXPECT_DEATH(append_delete(body, std::string(513, 'x'), 1), "513");
  EXPECT_DEATH(append_delete(body, "1", 0), "version");
}

TEST(BulkRequest, CannotCreateAnIndex) {
  const auto request = bulk_request(IndexName("runs-1a2b3c4d"), "x", std::chrono::seconds(3));
  EXPECT_THAT(request.path, StartsWith("/runs-1a2b3c4d.Write/_bulk?"));
  EXPECT_EQ(request.timeout, std::chrono::seconds(3));
}

TEST(CreateIndex, ThatItIsThereAlreadyIsSuccess) {
  const auto request =
      create_request(IndexName("runs-1-2026-11-29"), "{}", std::chrono::seconds(3));
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.path, "/runs-1-2026-11-29");
  const auto error = [](std::string_view type) {
    return fmt::format(R"({{"error":{{"type":"{}","reason":"why"}},"status":400}})", type);
  };
  EXPECT_EQ(create_failure(200, "{}"), std::nullopt);
  EXPECT_EQ(create_failure(400, error("resource_already_exists_exception")), std::nullopt);
  EXPECT_EQ(create_failure(400, error("validation_exception")), "validation_exception: why");
  EXPECT_THAT(create_failure(503, "").value_or(""), HasSubstr("503"));
  EXPECT_EQ(add_fields_failure(200, R"({"acknowledged":true})"), std::nullopt);
  EXPECT_THAT(add_fields_failure(200, R"({"acknowledged":false})").value_or(""),
              HasSubstr("not every node"));
  EXPECT_EQ(add_fields_failure(400, error("illegal_argument_exception")),
            "illegal_argument_exception: why");
}

std::string error_item(std::string_view action, int status, std::string_view type) {
  return fmt::format(R"({{"{}":{{"status":{},"error":{{"type":"{}","reason":"why"}}}}}})", action,
                     status, type);
}

TEST(BulkParse, TellsAMissingIndexFromOtherTrouble) {
  const auto missing = [](int status, std::string_view type) {
    const auto outcomes = parse_bulk_response(
        200, fmt::format(R"({{"items":[{}]}})", error_item("index", status, type)), 1);
    EXPECT_EQ(outcomes->front().outcome, Outcome::kFatal);
    return outcomes->front().missing;
  };
  EXPECT_TRUE(missing(404, "index_not_found_exception"));
  EXPECT_TRUE(missing(400, "invalid_index_name_exception"));
  EXPECT_FALSE(missing(403, "security_exception"));
}

TEST(BulkParse, GivesEachItemItsOutcome) {
  struct Case {
    std::string item;
    Outcome outcome;
    std::string reason;
  };
  const std::vector<Case> cases{
      {R"({"index":{"status":201}})", Outcome::kApplied, ""},
      {R"({"index":{"_id":"1","result":"updated","status":200}})", Outcome::kApplied, ""},
      {R"({"delete":{"status":200}})", Outcome::kApplied, ""},
      {R"({"delete":{"status":404}})", Outcome::kApplied, ""},
      {R"({"index":{"status":404}})", Outcome::kRejected, "status 404 without a reason"},
      {R"({"index":{"status":302}})", Outcome::kFatal, "status 302 without a reason"},
      {R"({"index":{"status":503}})", Outcome::kRetry, "status 503 without a reason"},
      {error_item("index", 409, "version_conflict_engine_exception"), Outcome::kStale,
       "version_conflict_engine_exception: why"},
      {error_item("delete", 409, "version_conflict_engine_exception"), Outcome::kStale,
       "version_conflict_engine_exception: why"},
      {error_item("index", 409, "something_else"), Outcome::kRetry, "something_else: why"},
      {error_item("index", 429, "es_rejected_execution_exception"), Outcome::kRetry,
       "es_rejected_execution_exception: why"},
      {error_item("index", 429, "circuit_breaking_exception"), Outcome::kRetry,
       "circuit_breaking_exception: why"},
      {error_item("index", 503, "unavailable_shards_exception"), Outcome::kRetry,
       "unavailable_shards_exception: why"},
      {error_item("index", 500, "null_pointer_exception"), Outcome::kRetry,
       "null_pointer_exception: why"},
      {error_item("index", 429, "cluster_block_exception"), Outcome::kRetry,
       "cluster_block_exception: why"},
      {error_item("index", 403, "cluster_block_exception"), Outcome::kRetry,
       "cluster_block_exception: why"},
      {error_item("index", 400, "mapper_parsing_exception"), Outcome::kRejected,
       "mapper_parsing_exception: why"},
      {error_item("index", 400, "strict_dynamic_mapping_exception"), Outcome::kRejected,
       "strict_dynamic_mapping_exception: why"},
      {error_item("index", 404, "index_not_found_exception"), Outcome::kFatal,
       "index_not_found_exception: why"},
      {error_item("delete", 404, "index_not_found_exception"), Outcome::kFatal,
       "index_not_found_exception: why"},
      {error_item("delete", 400, "invalid_index_name_exception"), Outcome::kFatal,
       "invalid_index_name_exception: why"},
      {error_item("index", 400, "index_closed_exception"), Outcome::kFatal,
       "index_closed_exception: why"},
      {error_item("index", 403, "security_exception"), Outcome::kFatal, "security_exception: why"},
      {error_item("index", 401, "whatever"), Outcome::kFatal, "whatever: why"},
      {R"({"index":{"error":{"type":"document_parsing_exception","reason":"failed to parse",
           "caused_by":{"type":"illegal_argument_exception","reason":"For input string",
           "caused_by":{"type":"number_format_exception"}}},"status":400}})",
       Outcome::kRejected,
       "document_parsing_exception: failed to parse; caused by illegal_argument_exception: For "
       "input string; caused by number_format_exception"},
      {R"({"index":{"status":400,"error":"just text"}})", Outcome::kRejected, "just text"},
  };
  std::string body = R"({"took":3,"errors":true,"items":[)";
  for (const Case& c : cases) body += c.item + ",";
  body.back() = ']';
  body += '}';
  const auto outcomes = parse_bulk_response(200, body, cases.size());
  ASSERT_TRUE(outcomes) << outcomes.error().message;
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ((*outcomes)[i].outcome, cases[i].outcome) << cases[i].item;
    EXPECT_EQ((*outcomes)[i].reason, cases[i].reason) << cases[i].item;
  }
}

TEST(BulkParse, RefusesWhatIsNotABulkResponse) {
  for (const std::string_view body :
       {R"()",
        R"(null)",
        R"([])",
        R"({})",
        R"({"items":{}})",
        R"({"items":[]})",
        R"({"items":[{"index":{"status":201}}]})",
        R"({"items":[{"index":{"status":201}},{"index":{"status":201}},{"index":{"status":201}}]})",
        R"({"items":[{"index":{"status":201}},{"index":{"status":201})",
        R"({"items":[{"index":{"status":201}},{"index":{"status":201}}])",
        R"({"items":[{"index":{"status":201}},{"index":{"status":201}}]}])",
        R"({"items":[{"index":{"status":201}},{"index":{"status":201}}]}{})",
        R"({"items":[{"index":{"status":201}},{}]})",
        R"({"items":[{"index":{"status":201}},7]})",
        R"({"items":[{"index":{"status":201}},{"index":{}}]})",
        R"({"items":[{"index":{"status":201}},{"index":7}]})",
        R"({"items":[{"index":{"status":201}},{"index":{"status":"201"}}]})",
        R"({"items":[{"index":{"status":201}},{"index":{"status":99999999999999999999}}]})",
        R"({"items":[{"index":{"status":201}},{"index":{"status":7}}]})",
        R"({"items":[{"index":{"status":201}},{"create":{"status":201}}]})",
        R"({"items":[{"index":{"status":201}},{"index":{"status":201},"delete":{"status":200}}]})",
        R"({"items":[{"index":{"status":400,"error":7}},{"index":{"status":201}}]})",
        R"({"items":[{"index":{"status":201}},{"index":{"status":201}}],"items":[]})",
        "{\"items\":[{\"index\":{\"status\":201}},{\"index\":{\"status\":201,\"x\":\"\xff\"}}]}"}) {
    const auto outcomes = parse_bulk_response(200, body, 2);
    ASSERT_FALSE(outcomes) << body;
    EXPECT_EQ(outcomes.error().code, ErrorCode::kMalformed) << body;
  }
}

TEST(BulkParse, BoundsReasonsAndTheChainOfCauses) {
  std::string error = fmt::format(R"({{"type":"t","reason":"{}\u00e9"}})", std::string(5000, 'x'));
  for (int i = 0; i < 50; ++i) error = fmt::format(R"({{"type":"t","caused_by":{}}})", error);
  const auto deep =
      parse_bulk_response(200, R"({"items":[{"index":{"status":400,"error":)" + error + "}}]}", 1);
  ASSERT_TRUE(deep) << deep.error().message;
  const auto wide = parse_bulk_response(
      200,
      fmt::format(
          R"({{"items":[{{"index":{{"status":400,"error":{{"type":"t","reason":"{}"}}}}}}]}})",
          [] {
            std::string text;
            for (int i = 0; i < 1000; ++i) text += "\xc3\xa9";
            return text;
          }()),
      1);
  ASSERT_TRUE(wide);
  EXPECT_LE((*wide)[0].reason.size(), 1024u);
  EXPECT_EQ((*wide)[0].reason.size() % 2, 1u);  // "t: ", then whole characters of two bytes
}

TEST(BulkParse, AWholeResponseThatFailedSpeaksForAllItems) {
  struct Case {
    int status;
    std::string_view body;
    Outcome outcome;
  };
  for (const Case& c : {
           Case{429, R"({"error":{"type":"es_rejected_execution_exception"},"status":429})",
                Outcome::kRetry},
           Case{502, "<html>Bad Gateway</html>", Outcome::kRetry},
           Case{503, "", Outcome::kRetry},
           Case{504, R"({"error":"text"})", Outcome::kRetry},
           Case{500, "{", Outcome::kRetry},
           Case{401, R"({"error":{"type":"security_exception"}})", Outcome::kFatal},
           Case{403, "Forbidden", Outcome::kFatal},
           Case{403, R"({"error":{"type":"cluster_block_exception"}})", Outcome::kRetry},
           Case{404, R"({"error":{"type":"index_not_found_exception"}})", Outcome::kFatal},
           Case{404, "no such page", Outcome::kFatal},
           Case{400, "The plain HTTP request was sent to HTTPS port", Outcome::kFatal},
           Case{405, "", Outcome::kFatal},
           Case{301, "", Outcome::kFatal},
           Case{204, "", Outcome::kFatal},
       }) {
    const auto outcomes = parse_bulk_response(c.status, c.body, 3);
    ASSERT_TRUE(outcomes) << c.status << ' ' << outcomes.error().message;
    ASSERT_EQ(outcomes->size(), 3u);
    for (const auto& outcome : *outcomes) {
      EXPECT_EQ(outcome.outcome, c.outcome) << c.status << ' ' << to_string(outcome.outcome);
      EXPECT_EQ(outcome.status, c.status);
    }
  }
}

TEST(BulkParse, ARequestRefusedForItsContentIsToBeSplit) {
  const std::string_view invalid =
      R"({"error":{"type":"action_request_validation_exception","reason":"id is too long"}})";
  for (const auto& [status, body] : {std::pair{413, std::string_view()}, std::pair{400, invalid}}) {
    const auto many = parse_bulk_response(status, body, 2);
    ASSERT_FALSE(many);
    EXPECT_EQ(many.error().code, ErrorCode::kLimit);
    const auto one = parse_bulk_response(status, body, 1);
    ASSERT_TRUE(one) << one.error().message;
    EXPECT_EQ((*one)[0].outcome, Outcome::kRejected);
  }
}

}  // namespace
}  // namespace searchsync::elastic
