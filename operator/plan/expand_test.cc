#include "operator/plan/expand.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "lib/model/load.h"
#include "lib/model/pipeline.h"
#include "lib/model/resource_schema.h"
#include "lib/model/validate.h"
#include "operator/plan/table_names.h"
#include "query/check.h"

namespace searchsync::plan {
namespace {

using nlohmann::json;

model::SearchIndex parent(const std::string& mappings = "") {
  model::SearchIndex index;
  index.metadata.name = "shop";
  index.spec.index_name = "shop";
  index.spec.elasticsearch.urls = {"http://es:9200"};
  index.spec.kafka.bootstrap_servers = {"kafka:9092"};
  index.spec.replicas = 2;
  index.spec.tables.emplace();
  if (!mappings.empty()) index.spec.tables->mappings = model::JsonText{mappings};
  return index;
}

model::SourceBinding binding(model::TableSelection selection = {}) {
  model::SourceBinding binding;
  binding.metadata.name = "shop-db";
  binding.spec.index_ref = "shop";
  binding.spec.source = model::PostgresSource{.secret_ref = {"shop-db"},
                                              .table = "",
                                              .topic_prefix = "capture.default.shop-db",
                                              .tables = std::move(selection),
                                              .revision = ""};
  binding.spec.errors.max_dead_letters = 7;
  return binding;
}

CatalogTable table(std::string name, std::vector<CatalogColumn> more = {}) {
  CatalogTable made;
  made.name = {"public", std::move(name)};
  made.columns = {{.name = "id", .type = "int8"}};
  std::ranges::move(more, std::back_inserter(made.columns));
  made.key = {"id"};
  made.revision = "1";
  return made;
}

Catalog catalog(std::vector<CatalogTable> tables, std::vector<ForeignKey> keys = {}) {
  std::ranges::sort(tables, {}, &CatalogTable::name);
  return {.user = "sync", .tables = std::move(tables), .foreign_keys = std::move(keys)};
}

Expansion expanded(const Catalog& of, model::TableSelection selection = {}) {
  return expand(parent(), binding(std::move(selection)), of, {"shop", "shop-db"});
}

std::vector<std::string> names(const Expansion& expansion) {
  std::vector<std::string> all;
  for (const auto& one : expansion.kept) all.push_back(one.index.metadata.name);
  return all;
}

json properties(const KeptTable& kept) {
  return json::parse(kept.index.spec.mappings.text).at("properties");
}

TEST(Expand, ATableIsAPairOfItsOwn) {
  const auto all = expanded(catalog({table("order_items", {{.name = "note", .type = "text"}})}));
  ASSERT_EQ(all.kept.size(), 1u);
  const auto& [name, path, index, its] = all.kept[0];
  EXPECT_EQ(path, "order_items");
  EXPECT_EQ(index.metadata.name, "shop-order-items");
  EXPECT_EQ(index.spec.index_name, "shop-order-items");
  EXPECT_EQ(index.spec.replicas, 2);
  EXPECT_FALSE(index.spec.tables);
  const auto& source = std::get<model::PostgresSource>(its.spec.source);
  EXPECT_EQ(source.table, "public.order_items");
  EXPECT_EQ(source.topic_prefix, "capture.default.shop-db");
  EXPECT_EQ(source.revision, "1");
  EXPECT_FALSE(source.tables);
  EXPECT_EQ(its.spec.key, (std::vector<std::string>{"id"}));
  EXPECT_EQ(its.spec.index_ref, "shop-order-items");
  EXPECT_EQ(its.spec.errors.max_dead_letters, 7);
  EXPECT_EQ(its.spec.fields, (std::vector<model::FieldMapping>{{"id", "id"}, {"note", "note"}}));
  EXPECT_EQ(properties(all.kept[0]),
            json::parse(R"({"id":{"type":"long"},"note":{"type":"text","fields":
              {"keyword":{"type":"keyword","ignore_above":8191}}}})"));
}

TEST(Expand, GivesWayToNamesThatAreTaken) {
  const auto of = catalog({table("orders"), table("users")});
  for (const char* name : {"object", "alias"}) {
    auto index = parent();
    index.spec.index_name = "alias";
    index.metadata.name = "object";
    const auto all = expand(index, binding(), of, {std::string(name) + "-orders"});
    ASSERT_EQ(all.kept.size(), 2u);
    for (const auto& its : {all.kept[0].index.metadata.name, all.kept[0].index.spec.index_name}) {
      EXPECT_NE(its.find("-orders---"), std::string::npos) << its;
    }
    EXPECT_EQ(all.kept[1].index.metadata.name, "object-users");
    EXPECT_EQ(all.kept[1].index.spec.index_name, "alias-users");
    EXPECT_EQ(all.remarks, std::vector<std::string>{
                               "other resources have the names of table public.orders: it is kept "
                               "as " +
                               all.kept[0].index.metadata.name});
  }
}

TEST(Expand, SelectsByPatterns) {
  auto elsewhere = table("runs");
  elsewhere.name.schema = "sales";
  auto partition = table("orders_2024");
  partition.partition = true;
  const auto of = catalog({table("orders"), table("audit_log"), elsewhere, partition});
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(expanded(of)), (Names{"shop-audit-log", "shop-orders", "shop-sales--runs"}));
  EXPECT_EQ(names(expanded(of, {{"public.*"}, {"*.audit_*"}})), Names{"shop-orders"});
  const auto missing = expanded(of, {{"public.order"}, {}});
  EXPECT_TRUE(missing.kept.empty());
  EXPECT_EQ(missing.remarks, Names{"there is no table public.order to include"});
}

TEST(Expand, AMappingInPlaceOfTheColumns) {
  const auto of = catalog({table("users", {{.name = "email", .type = "text"}})});
  const auto all =
      expand(parent(R"({"public.users":{"email":{"type":"keyword"},"mail":{"type":"keyword"}},
                 "public.user":{}})"),
             binding(), of, {});
  EXPECT_EQ(properties(all.kept.at(0)).at("email"), json({{"type", "keyword"}}));
  EXPECT_EQ(all.remarks,
            (std::vector<std::string>{
                "spec.tables.mappings names public.user, which is no table that is kept",
                "spec.tables.mappings names a column mail that public.users does not have"}));
}

TEST(Expand, NamesWhatCannotBeKeptAndTheRemedy) {
  struct Case {
    void (*spoil)(CatalogTable&);
    std::string says;
  };
  const Case cases[] = {
      {[](CatalogTable& t) { t.key.clear(); }, R"(ALTER TABLE "public"."t" ADD PRIMARY KEY)"},
      {[](CatalogTable& t) { t.identity = Identity::kNothing; }, "REPLICA IDENTITY DEFAULT"},
      {[](CatalogTable& t) { t.logged = false; }, "SET LOGGED"},
      {[](CatalogTable& t) { t.kind = TableKind::kForeign; }, "foreign table"},
      {[](CatalogTable& t) { t.readable = false; }, R"(GRANT SELECT ON "public"."t" TO "sync")"},
      {[](CatalogTable& t) { t.publishable = false; }, R"(OWNER TO "sync")"},
      {[](CatalogTable& t) { t.key_deferrable = true; }, "deferrable"},
      {[](CatalogTable& t) { t.columns[0].generated = true; }, "is generated"},
      {[](CatalogTable& t) { t.name.table = "Tag€"; }, "RENAME TO"},
      {[](CatalogTable& t) { t.columns.resize(1001, {.name = "c", .type = "int4"}); },
       "it would have 1001 fields"},
  };
  for (const Case& one : cases) {
    auto broken = table("t");
    one.spoil(broken);
    const auto all = expanded(catalog({broken, table("whole")}));
    EXPECT_EQ(names(all), std::vector<std::string>{"shop-whole"}) << one.says;
    ASSERT_EQ(all.refused.size(), 1u) << one.says;
    EXPECT_NE(all.refused[0].reason.find(one.says), std::string::npos) << all.refused[0].reason;
  }
}

TEST(Expand, RelatesByForeignKeysBothWays) {
  auto users = table("users", {{.name = "email", .type = "text"}});
  auto orders = table("orders", {{.name = "user_id", .type = "int4"}});
  auto staff = table("staff", {{.name = "boss", .type = "int8"}, {.name = "mail", .type = "text"}});
  const TableName u{"public", "users"};
  const TableName o{"public", "orders"};
  const TableName s{"public", "staff"};
  const auto all = expanded(catalog({users, orders, staff}, {{o, "user_id", u, "id"},
                                                             {s, "boss", s, "id"},
                                                             {s, "mail", u, "email"},
                                                             {s, "mail", u, "id"}}));
  std::map<std::string, std::vector<std::string>> relations;
  for (const auto& one : all.kept) {
    for (const auto& r : one.index.spec.query.relations) {
      relations[one.path].push_back(fmt::format("{}: {} {} {}", r.name, r.from, r.index, r.to));
    }
  }
  using Relations = std::vector<std::string>;
  EXPECT_EQ(relations["orders"], Relations{"users: user_id shop-users id"});
  EXPECT_EQ(relations["users"],
            (Relations{"orders: id shop-orders user_id", "staff: email shop-staff mail"}));
  EXPECT_EQ(relations["staff"],
            (Relations{"staff-by-boss: boss shop-staff id", "staff-with-boss: id shop-staff boss",
                       "users: mail shop-users email"}));
}

TEST(Expand, EveryTypeHasAMapping) {
  struct Case {
    CatalogColumn column;
    std::string mapping;
    model::FieldType type = model::FieldType::kAuto;
  };
  const std::string long_keyword = R"({"type":"keyword","ignore_above":8191})";
  const std::string kept = R"({"type":"object","enabled":false})";
  const Case cases[] = {
      {{.type = "bool"}, R"({"type":"boolean"})"},
      {{.type = "int2"}, R"({"type":"short"})"},
      {{.type = "int4", .array = true}, R"({"type":"integer"})"},
      {{.type = "numeric"}, R"({"type":"double","ignore_malformed":true})"},
      {{.type = "numeric", .precision = 10}, R"({"type":"long","ignore_malformed":true})"},
      {{.type = "numeric", .precision = 10, .scale = 2},
       R"({"type":"double","ignore_malformed":true})"},
      {{.type = "varchar", .length = 20},
       R"({"type":"text","fields":{"keyword":{"type":"keyword"}}})"},
      {{.type = "timestamptz"}, R"({"type":"date","ignore_malformed":true})"},
      {{.type = "uuid"}, R"({"type":"keyword"})"},
      {{.type = "jsonb"}, kept, model::FieldType::kJson},
      {{.type = "jsonb", .array = true}, kept},
      {{.type = "mood", .type_class = TypeClass::kEnum}, R"({"type":"keyword"})"},
      {{.type = "pair", .type_class = TypeClass::kComposite}, long_keyword},
      {{.type = "never_heard_of"}, long_keyword},
  };
  for (Case one : cases) {
    one.column.name = "c";
    const auto all = expanded(catalog({table("t", {one.column})}));
    EXPECT_EQ(properties(all.kept.at(0)).at("c"), json::parse(one.mapping)) << one.column.type;
    EXPECT_EQ(all.kept[0].binding.spec.fields.at(1).type, one.type) << one.column.type;
  }
}

TEST(TableNames, MatchAsOneExpects) {
  EXPECT_TRUE(matches("*.*", "public.a"));
  EXPECT_TRUE(matches("public.a*c*", "public.abxc"));
  EXPECT_FALSE(matches("public.a*c", "public.abxcd"));
  EXPECT_FALSE(matches("public.*", "publication.a"));
  EXPECT_TRUE(matches("p*.t", "p.t"));
}

// Catalogs as nobody would have them.
class RandomCatalog {
 public:
  explicit RandomCatalog(uint32_t seed) : random_(seed) {}

  Catalog draw() {
    std::vector<CatalogTable> tables;
    for (int count = number(0, 12); count > 0; --count) tables.push_back(draw_table());
    std::ranges::sort(tables, {}, &CatalogTable::name);
    const auto same = std::ranges::unique(tables, {}, &CatalogTable::name);
    tables.erase(same.begin(), same.end());
    Catalog all{.user = "sync", .tables = std::move(tables), .foreign_keys = {}};
    for (int count = number(0, 10); count > 0 && !all.tables.empty(); --count) {
      const auto& from = any(all.tables);
      const auto& to = any(all.tables);
      all.foreign_keys.push_back(
          {from.name, any(from.columns).name, to.name, any(to.columns).name});
    }
    std::ranges::sort(all.foreign_keys);
    const auto same_key = std::ranges::unique(all.foreign_keys);
    all.foreign_keys.erase(same_key.begin(), same_key.end());
    return all;
  }

  int number(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }

 private:
  template <class T>
  const T& any(const std::vector<T>& all) {
    return all[static_cast<size_t>(number(0, static_cast<int>(all.size()) - 1))];
  }

  std::string name() {
    static const std::vector<std::string> parts = {
        "a", "b_c", "b-c", "B", "_x", "x_", "a__b", "a.b", "ü", "a b", "\"", "_id", "long_name_"};
    std::string all;
    for (int count = number(1, 4); count > 0; --count) all += any(parts);
    return all.substr(0, 63);
  }

  CatalogTable draw_table() {
    static const std::vector<std::string> schemas = {"public", "sales", "a_b", "A"};
    static const std::vector<std::string> types = {"int4", "text",   "numeric", "jsonb", "varchar",
                                                   "uuid", "float8", "bytea",   "odd"};
    CatalogTable table;
    table.name = {any(schemas), name()};
    for (int count = number(1, 6); count > 0; --count) {
      table.columns.push_back({.name = name() + std::to_string(count),
                               .type = any(types),
                               .array = number(0, 5) == 0,
                               .length = number(0, 1) * 40,
                               .generated = number(0, 9) == 0});
    }
    if (number(0, 4) > 0) table.key = {table.columns[0].name};
    table.logged = number(0, 9) > 0;
    table.partition = number(0, 9) == 0;
    table.revision = "1";
    return table;
  }

  std::mt19937 random_;
};

model::Resources resources_of(const Expansion& expansion) {
  model::Resources all;
  for (const auto& one : expansion.kept) {
    all.indices.push_back(one.index);
    all.bindings.push_back(one.binding);
  }
  return all;
}

TEST(Expand, WhateverThereIsWhatIsKeptIsValid) {
  size_t kept = 0;
  for (uint32_t seed = 0; seed < 500; ++seed) {
    const auto all = expanded(RandomCatalog(seed).draw());
    kept += all.kept.size();
    const auto resources = resources_of(all);
    for (const auto& one : all.kept) {
      const auto index = model::parse_search_index(model::to_json(one.index));
      ASSERT_TRUE(index) << seed << ": " << index.error().message;
      const auto its = model::parse_source_binding(model::to_json(one.binding));
      ASSERT_TRUE(its) << seed << ": " << its.error().message;
      EXPECT_EQ(*index, one.index);
      EXPECT_EQ(*its, one.binding);
      EXPECT_TRUE(model::compile(one.index, std::span(&one.binding, 1))) << seed;
    }
    std::vector<model::Fault> faults = model::validate(resources, {});
    std::ranges::move(model::validate_relations(resources, {}), std::back_inserter(faults));
    std::ranges::move(query::check_queries(resources, {}), std::back_inserter(faults));
    ASSERT_TRUE(faults.empty()) << "seed " << seed << "\n" << to_string(faults);
  }
  EXPECT_GT(kept, 300u);
}

TEST(Expand, WhatBecomesOfATableDoesNotDependOnOthers) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    RandomCatalog random(seed);
    Catalog whole = random.draw();
    whole.foreign_keys.clear();  // those do, rightly
    const auto all = expanded(whole);
    Catalog part = whole;
    std::erase_if(part.tables, [&](const auto&) { return random.number(0, 1) == 0; });
    std::set<std::string> seen;
    for (const auto& one : all.kept) EXPECT_TRUE(seen.insert(one.path).second) << seed;
    for (const auto& one : expanded(part).kept) {
      const auto same = std::ranges::find(all.kept, one.table, &KeptTable::table);
      // Of two that Kafka takes for one, the first is kept.
      if (same != all.kept.end()) {
        EXPECT_EQ(*same, one) << seed;
      }
    }
  }
}

}  // namespace
}  // namespace searchsync::plan
