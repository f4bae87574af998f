#include "lib/kube/api_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace searchsync::kube {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

TEST(ApiError, SaysWhyByStatusAndReason) {
  const std::tuple<int, const char*, ApiReason, ErrorCode> cases[] = {
      {400, "BadRequest", ApiReason::kBadRequest, ErrorCode::kInvalidArgument},
      {401, "Unauthorized", ApiReason::kUnauthorized, ErrorCode::kPermission},
      {403, "Forbidden", ApiReason::kForbidden, ErrorCode::kPermission},
      {404, "NotFound", ApiReason::kNotFound, ErrorCode::kNotFound},
      {405, "MethodNotAllowed", ApiReason::kMethodNotAllowed, ErrorCode::kUnsupported},
      {409, "AlreadyExists", ApiReason::kAlreadyExists, ErrorCode::kConflict},
      {409, "Conflict", ApiReason::kConflict, ErrorCode::kConflict},
      {410, "Expired", ApiReason::kExpired, ErrorCode::kConflict},
      {410, "Gone", ApiReason::kExpired, ErrorCode::kConflict},
      {413, "RequestEntityTooLarge", ApiReason::kTooLarge, ErrorCode::kInvalidArgument},
      {422, "Invalid", ApiReason::kInvalid, ErrorCode::kInvalidArgument},
      {429, "TooManyRequests", ApiReason::kTooManyRequests, ErrorCode::kUnavailable},
      {500, "InternalError", ApiReason::kInternal, ErrorCode::kInternal},
      {503, "ServiceUnavailable", ApiReason::kUnavailable, ErrorCode::kUnavailable},
      {504, "Timeout", ApiReason::kTimeout, ErrorCode::kTimeout},
      {418, "Odd", ApiReason::kBadRequest, ErrorCode::kInvalidArgument},
  };
  for (const auto& [status, word, reason, code] : cases) {
    const auto body =
        std::string(R"({"kind":"Status","message":"it is so","reason":")") + word + R"("})";
    const ApiError error = read_api_error("GET /x", status, body, "");
    EXPECT_EQ(error.reason, reason) << word;
    EXPECT_EQ(error.code, code) << word;
    EXPECT_EQ(error.status, status);
    EXPECT_THAT(error.message, HasSubstr("GET /x: it is so (")) << word;
  }
}

TEST(ApiError, KeepsTheCausesAndWhereTheyAre) {
  const ApiError error = read_api_error(
      "PATCH /x", 422,
      R"({"kind":"Status","message":"Deployment is invalid: spec.replicas: Invalid value: -1",
          "reason":"Invalid","details":{"retryAfterSeconds":7,"causes":[
          {"reason":"FieldValueInvalid","message":"Invalid value: -1","field":"spec.replicas"},
          {"message":"unknown","field":"spec.other"}, 5]}})",
      "");
  EXPECT_EQ(error.causes,
            (std::vector<ApiCause>{{"spec.replicas", "FieldValueInvalid", "Invalid value: -1"},
                                   {"spec.other", "", "unknown"}}));
  EXPECT_EQ(error.message,
            "PATCH /x: Deployment is invalid: spec.replicas: Invalid value: -1; spec.other: "
            "unknown (Invalid 422)");
  EXPECT_EQ(error.retry_after, seconds(7));
}

TEST(ApiError, ReadsWhatIsNoStatus) {
  EXPECT_THAT(read_api_error("GET /x", 502, "<html>\nbad gateway", "3").message,
              HasSubstr("<html> bad gateway (Unavailable 502)"));
  EXPECT_EQ(read_api_error("GET /x", 502, "", "3").retry_after, seconds(3));
  EXPECT_THAT(read_api_error("GET /x", 500, "", "").message, HasSubstr("no reason was given"));
  const std::string long_text(10'000, 'x');
  EXPECT_LT(read_api_error("GET /x", 500, R"({"kind":"Status","message":")" + long_text + "\"}", "")
                .message.size(),
            2'500u);
}

TEST(ApiError, IsAnErrorWhereOneIsAskedFor) {
  const auto inner = []() -> ApiResult<int> {
    return std::unexpected(read_api_error("GET /x", 404, "", ""));
  };
  const auto outer = [&]() -> Result<int> {
    ASSIGN_OR_RETURN(const int value, inner());
    return value;
  };
  EXPECT_EQ(outer().error().code, ErrorCode::kNotFound);
}

TEST(ApiError, RetryAfterIsANumberOfSeconds) {
  EXPECT_EQ(parse_retry_after("5"), seconds(5));
  EXPECT_EQ(parse_retry_after("999999999"), seconds(3600));
  for (const char* text : {"", "-1", "5s", "Wed, 21 Oct 2015 07:28:00 GMT"}) {
    EXPECT_FALSE(parse_retry_after(text)) << text;
  }
}

}  // namespace
}  // namespace searchsync::kube
