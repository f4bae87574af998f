#include "query/run/table_routes.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/http/client.h"

namespace searchsync::query {
namespace {

class TableRoutesTest : public testing::Test {
 protected:
  TableRoutesTest() {
    for (const std::string name : {"orders", "users"}) {
      auto& routes = tables_.of(name);
      routes.route(http::Method::kGet, "/v1", [name](const http::Request&) {
        return http::Response{.body = R"({"indices":[{"name":")" + name + R"("}]})"};
      });
      routes.route(http::Method::kGet, "/v1/{index}/fields", [name](const http::Request& request) {
        return http::Response{.body = name + " " + request.path_parameter("index")};
      });
    }
    tables_.of("secrets").route(http::Method::kGet, "/v1", [](const http::Request&) {
      return http::error_response(403, "forbidden", "no");
    });
    tables_.of("secrets").route(http::Method::kGet, "/v1/{index}/fields", [](const auto&) {
      return http::error_response(403, "forbidden", "no");
    });
    tables_.add_to(server_);
    EXPECT_TRUE(server_.start());
    client_ = std::move(*http::Client::create({.base_urls = {"http://" + server_.address()}}));
  }

  http::ClientResponse get(const std::string& path) {
    return *client_->request({.path = path, .headers = {}, .body = ""});
  }

  TableRoutes tables_{"shop"};
  http::Server server_{{}};
  std::unique_ptr<http::Client> client_;
};

TEST_F(TableRoutesTest, EachRequestGoesToItsTable) {
  EXPECT_EQ(get("/v1/orders/fields").body, "orders orders");
  EXPECT_EQ(get("/v1/users/fields").body, "users users");
  EXPECT_EQ(get("/v1/secrets/fields").status, 403);
}

TEST_F(TableRoutesTest, AnUnknownTableIsSaidToBeAndOneLikeItNamed) {
  const auto answer = get("/v1/order/fields");
  EXPECT_EQ(answer.status, 404);
  EXPECT_NE(answer.body.find("no table `order` is served here, did you mean `orders`?"),
            std::string::npos)
      << answer.body;
}

TEST_F(TableRoutesTest, NamesNoTableToWhoeverMayNotSeeIt) {
  const auto answer = get("/v1/secret/fields");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body.find("secrets"), std::string::npos) << answer.body;
}

TEST_F(TableRoutesTest, NamesThoseThatWhoeverAsksMaySee) {
  const auto all = nlohmann::json::parse(get("/v1").body);
  ASSERT_EQ(all["indices"].size(), 2u);
  EXPECT_EQ(all["indices"][1]["name"], "users");
}

}  // namespace
}  // namespace searchsync::query
