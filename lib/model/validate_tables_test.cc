#include "lib/model/validate_tables.h"

#include <gtest/gtest.h>

#include "lib/model/load.h"

namespace searchsync::model {
namespace {

constexpr std::string_view kIndex = R"(apiVersion: searchsync.io/v1alpha1
kind: SearchIndex
metadata: {name: shop}
spec:
  elasticsearch: {urls: ["http://es:9200"]}
  kafka: {bootstrapServers: ["kafka:9092"]}
  tables: {mappings: {public.users: {email: {type: keyword}}}}
)";

constexpr std::string_view kBinding = R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {name: shop-db}
spec:
  indexRef: {name: shop}
  source: {postgres: {secretRef: {name: shop-db}, tables: {include: ["public.*"]}}}
)";

struct Case {
  std::string_view file;
  std::string from;
  std::string to;
  std::string expected;  // in one of the faults; empty: there is none
};

std::vector<Fault> faults(const Case& one) {
  std::vector<NamedText> texts = {{"index.yaml", std::string(kIndex)},
                                  {"binding.yaml", std::string(kBinding)}};
  for (NamedText& text : texts) {
    if (text.file != one.file) continue;
    const size_t at = text.text.find(one.from);
    EXPECT_NE(at, text.text.npos) << one.from;
    text.text.replace(at, one.from.size(), one.to);
  }
  return load_texts(texts).faults;
}

TEST(ValidateTables, FindsWhatDoesNotFit) {
  const std::vector<Case> cases = {
      {"", "", "", ""},
      {"binding.yaml", "tables: {include: [\"public.*\"]}", "tables: {}", ""},
      {"index.yaml", "{mappings: {public.users: {email: {type: keyword}}}}", "{}", ""},
      {"index.yaml", "public.users:", "users:", "expected a table as schema.table"},
      {"index.yaml", "{type: keyword}", "keyword", "expected a mapping"},
      {"index.yaml", "tables: {mappings", "tables: {mapings", "did you mean `mappings`?"},
      {"index.yaml", "tables:", "mappings: {properties: {}}\n  tables:",
       "expected exactly one of mappings and tables"},
      {"index.yaml", "  tables: {mappings: {public.users: {email: {type: keyword}}}}\n", "",
       "expected exactly one of mappings and tables"},
      {"index.yaml", "  tables: {", "  query: {filterable: [id]}\n  tables: {",
       "which relate by their foreign keys: remove them"},
      {"index.yaml", "  tables: {",
       "  reindex: {checks: [{name: a, query: {match_all: {}}}]}\n  tables: {",
       "spec.reindex.checks: are of one index, and with `tables` there are many"},
      {"index.yaml", "tables: {mappings: {public.users: {email: {type: keyword}}}}",
       "mappings: {properties: {}}", "is one index and cannot keep many tables"},
      {"binding.yaml", "tables: {include: [\"public.*\"]}", "table: public.users",
       "spec.key: is required"},
      {"binding.yaml", "tables: {include: [\"public.*\"]}",
       "table: public.users, tables: {include: [\"public.*\"]}",
       "expected exactly one of table and tables"},
      {"binding.yaml", "tables: {include: [\"public.*\"]}", "topicPrefix: a",
       "expected exactly one of table and tables"},
      {"binding.yaml", "public.*", "public", "expected tables as schema.table"},
      {"binding.yaml", "  source:", "  key: [id]\n  source:",
       "spec.key: with `source.postgres.tables` each table has its own"},
      {"binding.yaml", "  source:", "  fields: [{from: id, to: id}]\n  source:",
       "spec.fields: with `source.postgres.tables` each column is a field"},
      {"binding.yaml", "  source:", "  relation: {lookup: {of: root, from: [id]}}\n  source:",
       "spec.relation: with `source.postgres.tables` the rows of each table are documents"},
      {"binding.yaml", "indexRef: {name: shop}", "indexRef: {name: shops}",
       "no SourceBinding names its database"},
  };
  for (const Case& one : cases) {
    const auto found = faults(one);
    if (one.expected.empty()) {
      EXPECT_TRUE(found.empty()) << to_string(found);
    } else {
      EXPECT_NE(to_string(found).find(one.expected), std::string::npos)
          << one.from << " -> " << one.to << "\n"
          << to_string(found);
    }
  }
}

TEST(ValidateTables, OneBindingForOneDatabase) {
  const std::vector<NamedText> texts = {{"index.yaml", std::string(kIndex)},
                                        {"binding.yaml", std::string(kBinding)},
                                        {"second.yaml", R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {name: table}
spec:
  indexRef: {name: shop}
  source: {postgres: {secretRef: {name: shop-db}, table: public.users, topicPrefix: own}}
  key: [id]
  relation: {root: {}}
)"}};
  const std::string found = to_string(load_texts(texts).faults);
  EXPECT_NE(found.find("expected a source with postgres.tables"), std::string::npos) << found;
  EXPECT_NE(found.find("captures the same database with the prefix `own`"), std::string::npos)
      << found;
}

TEST(ValidateTables, RelationIsStillRequiredOfOthers) {
  const std::string found =
      to_string(load_texts({{"binding.yaml", R"(apiVersion: searchsync.io/v1alpha1
kind: SourceBinding
metadata: {name: table}
spec:
  indexRef: {name: shop}
  source: {kafka: {topic: rows}}
  key: [id]
)"}}).faults);
  EXPECT_NE(found.find("spec.relation: is required"), std::string::npos) << found;
}

}  // namespace
}  // namespace searchsync::model
