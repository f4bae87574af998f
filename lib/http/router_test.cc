#include "lib/http/router.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace searchsync::http {
namespace {

Handler says(std::string what) {
  return [what](const Request& request) {
    Response response{.body = what};
    for (const auto& [name, value] : request.path_parameters) {
      response.body += " " + name + "=" + value;
    }
    return response;
  };
}

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    router_.add(Method::kGet, "/", says("root"));
    router_.add(Method::kGet, "/indices/{name}", says("index"));
    router_.add(Method::kGet, "/indices/all", says("all"));
    router_.add(Method::kPost, "/indices/{name}/_search", says("search"));
    router_.add(Method::kDelete, "/indices/{name}", says("delete"));
  }

  Response get(Method method, std::string_view path) {
    Request request{.method = method};
    return router_.dispatch(request, path);
  }

  Router router_;
};

TEST_F(RouterTest, FindsTheRouteWithMostLiterals) {
  const std::tuple<Method, const char*, const char*> kCases[] = {
      {Method::kGet, "/", "root"},
      {Method::kGet, "/indices/a", "index name=a"},
      {Method::kGet, "/indices/all", "all"},
      {Method::kDelete, "/indices/all", "delete name=all"},
      {Method::kPost, "/indices/a/_search", "search name=a"},
      {Method::kGet, "/indices/a%2Fb%20c", "index name=a/b c"},
      {Method::kGet, "/indices/50%25%zz%4", "index name=50%%zz%4"},
  };
  for (const auto& [method, path, expected] : kCases) {
    EXPECT_EQ(get(method, path).body, expected) << path;
  }
}

TEST_F(RouterTest, SaysWhatIsWrong) {
  for (const char* path : {"/nothing", "/indices", "/indices/", "/indices/a/", "/indices/a/b/c"}) {
    EXPECT_EQ(get(Method::kGet, path).status, 404) << path;
  }
  const auto response = get(Method::kPut, "/indices/all");
  EXPECT_EQ(response.status, 405);
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0].second, "GET, DELETE");
  EXPECT_EQ(router_.refuse("/indices/a/_search").status, 405);
  EXPECT_EQ(router_.refuse("/nothing").status, 404);
}

TEST(Query, IsReadToTheEnd) {
  using Query = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(parse_query("/a"), Query());
  EXPECT_EQ(parse_query("/a?"), Query());
  EXPECT_EQ(parse_query("/a?b"), (Query{{"b", ""}}));
  EXPECT_EQ(parse_query("/a?b=1=2=&&=x"), (Query{{"", "x"}, {"b", "1=2="}}));
  EXPECT_EQ(parse_query("/a?z=3&b=2&z=1&%7a=%3D%26+%2B%"),
            (Query{{"b", "2"}, {"z", "3"}, {"z", "1"}, {"z", "=& +%"}}));
  EXPECT_EQ(parse_query("/a?b=c?d=e"), (Query{{"b", "c?d=e"}}));
}

TEST_F(RouterTest, HandlerThatThrowsIsAnInternalError) {
  router_.add(Method::kGet, "/throws",
              [](const Request&) -> Response { throw std::runtime_error("secret detail"); });
  const auto response = get(Method::kGet, "/throws");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body, R"({"error":{"code":"internal",)"
                           R"("message":"the request failed; the server's log says why"}})");
}

TEST_F(RouterTest, WrongPatternsAreBugs) {
  EXPECT_DEATH(router_.add(Method::kGet, "indices", says("")), "route");
  EXPECT_DEATH(router_.add(Method::kGet, "/{}", says("")), "segment");
  EXPECT_DEATH(router_.add(Method::kGet, "/a{b}", says("")), "route");
  EXPECT_DEATH(router_.add(Method::kGet, "/{a}/{a}", says("")), "a name twice");
  EXPECT_DEATH(router_.add(Method::kGet, "/indices/all", says("")), "twice");
}

TEST(ErrorResponse, IsJsonWhateverItHolds) {
  EXPECT_EQ(error_response(400, "bad", "a \"b\"\n\\").body,
            R"({"error":{"code":"bad","message":"a \"b\"\u000a\\"}})");
}

}  // namespace
}  // namespace searchsync::http
