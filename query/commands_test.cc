#include "query/commands.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace searchsync::query {
namespace {

using model::ArgumentType;
using nlohmann::json;

const model::CommandSpec kAdd{
    .name = "add",
    .function = "shop.Add_it",
    .arguments =
        {{.name = "serial"},
         {.name = "count", .type = ArgumentType::kInteger, .optional = true},
         {.name = "price", .type = ArgumentType::kNumber, .optional = true},
         {.name = "new", .type = ArgumentType::kBoolean, .optional = true},
         {.name = "more", .type = ArgumentType::kJson, .optional = true},
         {.name = "ports", .list = true, .optional = true},
         {.name = "sizes", .type = ArgumentType::kInteger, .list = true, .optional = true}},
    .returns = model::CommandResult::kOne};

using Values = std::vector<std::optional<std::string>>;

Values values_of(std::string_view body) {
  Faults faults;
  const auto call = read_call(kAdd, body, faults);
  EXPECT_TRUE(faults.empty()) << body << render(faults);
  return call ? call->values : Values{"nothing"};
}

std::vector<std::string> faults_of(const model::CommandSpec& command, std::string_view body) {
  Faults faults;
  EXPECT_FALSE(read_call(command, body, faults)) << body;
  std::vector<std::string> paths;
  for (const Fault& fault : faults.list()) paths.push_back(fault.path);
  return paths;
}

TEST(ReadCall, MakesAStatementOfWhatIsDeclared) {
  Faults faults;
  model::CommandSpec add = kAdd;
  const auto sql = [&](std::string_view body) { return read_call(add, body, faults)->sql; };
  EXPECT_EQ(sql(R"({"new":true,"serial":"x"})"),
            R"(SELECT to_json("its answer") FROM "shop"."Add_it"("serial" => $1, "new" => $2))"
            R"( AS "its answer" LIMIT 1)");
  add.returns = model::CommandResult::kMany;
  EXPECT_EQ(sql(R"({"serial":"'; DROP TABLE widgets; --"})"),
            R"(SELECT to_json("its answer") FROM "shop"."Add_it"("serial" => $1))"
            R"( AS "its answer" LIMIT 1001)");
  add.returns = model::CommandResult::kNothing;
  add.arguments.clear();
  EXPECT_EQ(sql(""), R"(SELECT FROM "shop"."Add_it"())");
}

TEST(ReadCall, GivesValuesTheTextThatPostgresReads) {
  EXPECT_EQ(values_of(R"({"serial":null})"), Values{std::nullopt});
  EXPECT_EQ(values_of(R"({"serial":"a'\"\\\n"})"), Values{"a'\"\\\n"});
  EXPECT_EQ(values_of(R"({"serial":"","count":-9223372036854775808})"),
            (Values{"", "-9223372036854775808"}));
  EXPECT_EQ(values_of(R"({"serial":"","price":1.10})"), (Values{"", "1.10"}));
  EXPECT_EQ(values_of(R"({"serial":"","price":7})"), (Values{"", "7"}));
  EXPECT_EQ(values_of(R"({"serial":"","new":false})"), (Values{"", "false"}));
  EXPECT_EQ(values_of(R"({"serial":"","more":{"a":[1,1.50,null]}})"),
            (Values{"", R"({"a":[1,1.50,null]})"}));
  EXPECT_EQ(values_of(R"({"serial":"","ports":[]})"), (Values{"", "{}"}));
  EXPECT_EQ(values_of(R"({"serial":"","ports":["P","a,b","\"}\\","NULL",null]})"),
            (Values{"", R"({"P","a,b","\"}\\","NULL",NULL})"}));
  EXPECT_EQ(values_of(R"({"serial":"","sizes":[1,2]})"), (Values{"", R"({"1","2"})"}));
}

TEST(ReadCall, NamesEachFault) {
  using Paths = std::vector<std::string>;
  for (const char* body : {"[]", "1", "{", "\"x\"", "null", R"({"serial":"a","serial":"b"})"}) {
    EXPECT_EQ(faults_of(kAdd, body), Paths{""}) << body;
  }
  EXPECT_EQ(faults_of(kAdd, ""), Paths{"serial"});
  EXPECT_EQ(faults_of(kAdd, R"({"serial":1,"count":1.5,"price":"1","new":1,"what":2})"),
            (Paths{"what", "serial", "count", "price", "new"}));
  EXPECT_EQ(faults_of(kAdd, R"({"serial":"a\u0000b"})"), Paths{"serial"});
  EXPECT_EQ(faults_of(kAdd, R"({"serial":"","count":9223372036854775808})"), Paths{"count"});
  EXPECT_EQ(faults_of(kAdd, R"({"serial":"","ports":"P"})"), Paths{"ports"});
  EXPECT_EQ(faults_of(kAdd, R"({"serial":"","ports":["P",1,["x"]]})"),
            (Paths{"ports[1]", "ports[2]"}));
  EXPECT_EQ(faults_of({.name = "x", .function = "a.b"}, R"({"a":1})"), Paths{""});
}

TEST(StatusOf, IsPostgrests) {
  for (const auto& [sqlstate, status] : std::vector<std::pair<std::string_view, int>>{
           {"23505", 409}, {"23503", 409}, {"23514", 400}, {"22P02", 400}, {"P0001", 400},
           {"P0002", 500}, {"42883", 404}, {"42P01", 404}, {"42501", 403}, {"40001", 500},
           {"40P01", 500}, {"53300", 503}, {"57014", 504}, {"57P01", 503}, {"57P03", 500},
           {"08006", 503}, {"XX000", 500}, {"25006", 405}, {"28000", 403}, {"PT404", 404},
           {"PT409", 409}, {"PT200", 500}, {"PT4x4", 500}, {"99999", 400}, {"", 400}}) {
    EXPECT_EQ(status_of(sqlstate), status) << sqlstate;
  }
}

TEST(Render, SaysWhatTheServerSaid) {
  EXPECT_EQ(json::parse(render(postgres::ServerError{"23505", "a \"b\"", "", "try c"})),
            json::parse(R"({"error":{"code":"command_failed","message":"a \"b\"",
                                     "sqlstate":"23505","hint":"try c"}})"));
}

}  // namespace
}  // namespace searchsync::query
