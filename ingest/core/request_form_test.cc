#include "ingest/core/request_form.h"

#include <gtest/gtest.h>

namespace searchsync::ingest {
namespace {

TEST(RequestForm, TypesOfBodies) {
  EXPECT_EQ(body_form(std::nullopt), BodyForm::kJson);
  EXPECT_EQ(body_form(""), BodyForm::kJson);
  EXPECT_EQ(body_form("application/json"), BodyForm::kJson);
  EXPECT_EQ(body_form("Application/JSON; charset=utf-8"), BodyForm::kJson);
  EXPECT_EQ(body_form("application/x-ndjson"), BodyForm::kNdjson);
  EXPECT_EQ(body_form(" application/jsonl ;x"), BodyForm::kNdjson);
  EXPECT_EQ(body_form("application/x-www-form-urlencoded"), std::nullopt);
  EXPECT_EQ(body_form("text/plain"), std::nullopt);
}

TEST(RequestForm, Options) {
  using Query = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(request_options(Query{})->on_error, OnError::kReject);
  EXPECT_EQ(request_options(Query{})->receipts, ReceiptsAsked::kAll);
  const auto options = request_options(Query{{"onError", "accept"}, {"receipts", "none"}});
  EXPECT_EQ(options->on_error, OnError::kAccept);
  EXPECT_EQ(options->receipts, ReceiptsAsked::kNone);
  EXPECT_EQ(request_options(Query{{"onError", "ignore"}}).error(),
            "onError: expected reject or accept, found \"ignore\"");
  EXPECT_EQ(request_options(Query{{"receipts", "\xff"}}).error(),
            "receipts: expected all or none, found \"?\"");
  EXPECT_EQ(request_options(Query{{"onerror", "accept"}}).error(),
            "there is no parameter \"onerror\": known are onError, receipts");
}

TEST(Tokens, AnyOfThemWillDo) {
  const auto tokens = Tokens::parse("# of the shop\n0123456789abcdef\n\n  fedcba9876543210 \r\n");
  ASSERT_TRUE(tokens) << tokens.error();
  EXPECT_TRUE(tokens->allow("Bearer 0123456789abcdef"));
  EXPECT_TRUE(tokens->allow("bearer  fedcba9876543210 "));
  for (const char* wrong :
       {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0",
        "Bearer # of the shop", "Basic 0123456789abcdef", "0123456789abcdef",
        "Bearer 0123456789abcdef0123456789abcdef"}) {
    EXPECT_FALSE(tokens->allow(wrong)) << wrong;
  }
  EXPECT_FALSE(tokens->allow(std::nullopt));
}

TEST(Tokens, AreLongEnough) {
  EXPECT_EQ(Tokens::parse("\n# none\n").error(), "holds no token: write one a line");
  const auto weak = Tokens::parse("0123456789abcdef\nsecret");
  ASSERT_FALSE(weak);
  EXPECT_EQ(weak.error().find("secret"), std::string::npos);
  EXPECT_NE(weak.error().find("token 2 has 6 characters"), std::string::npos);
}

}  // namespace
}  // namespace searchsync::ingest
