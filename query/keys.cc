#include "query/keys.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

#include "lib/model/basic_types.h"
#include "lib/model/json.h"
#include "lib/model/schema_builder.h"
#include "lib/model/yaml.h"
#include "query/filter.h"

namespace searchsync::query {
namespace {

// An entry, as it is written.
struct Entry {
  std::optional<std::string> key;
  std::optional<std::string> sha256;
  std::optional<std::vector<IndexGrant>> indices;
  std::optional<model::RateLimitSpec> rate_limit;
  std::optional<std::vector<std::string>> commands;
};

model::Typed<Entry> build_entry(model::Schema& schema) {
  using model::ObjectBuilder;
  const auto text = string_type(schema, {1, 256});
  const auto grant =
      ObjectBuilder<IndexGrant>(schema, "IndexGrant", "What a key may see of one index.")
          .field("name", &IndexGrant::name, text, "As in paths.", model::required())
          .field("fields", &IndexGrant::fields,
                 list_type(schema, text, {1, 1000}, {.unique = model::Unique::kItems}),
                 "And all that is within them.")
          .field("filter", &IndexGrant::filter, json_object_type(schema),
                 "Documents must fit it, whatever is asked.")
          .build();
  return ObjectBuilder<Entry>(schema, "ApiKey", "One key.")
      .field("key", &Entry::key, string_type(schema, {16, 1024}), "What is presented.")
      .field("sha256", &Entry::sha256,
             string_type(schema, {64, 64}, model::Pattern{"[0-9a-f]{64}", "64 hex digits"}),
             "Of what is presented.")
      .field("indices", &Entry::indices,
             list_type(schema, grant, {1, 100}, {.unique = model::Unique::kKey, .key = "name"}),
             "Without it: all of every index.")
      .field("rateLimit", &Entry::rate_limit, build_rate_limit(schema),
             "In place of that of the resource.")
      .field("commands", &Entry::commands,
             list_type(schema, text, {0, 64}, {.unique = model::Unique::kItems}),
             "Those that it may call. Without it: all, or none where `indices` are given.")
      .build();
}

const model::Typed<Entry>& entry_type() {
  static model::Schema schema;
  static const auto type = build_entry(schema);
  return type;
}

unsigned char nibble(char c) {
  return static_cast<unsigned char>(c <= '9' ? c - '0' : c - 'a' + 10);
}

Digest from_hex(std::string_view hex) {
  Digest digest{};
  for (size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<unsigned char>(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
  }
  return digest;
}

// The parser's words may repeat what was read, which here is a secret: only the place is told.
std::string places(const std::vector<model::Fault>& faults) {
  std::string all;
  for (const model::Fault& fault : faults) {
    if (!all.empty()) all += "\n";
    if (fault.path.empty()) {
      all += fmt::format("line {} cannot be read as it must be", fault.line);
    } else if (fault.path == "key" || fault.path == "sha256") {
      all += fault.path == "key" ? "key: expected a string of 16 to 1024 bytes"
                                 : "sha256: expected a string of 64 hex digits, lowercase";
    } else {
      all += fmt::format("{}: {}", fault.path, fault.message);
    }
  }
  return all;
}

}  // namespace

Digest digest_of(std::string_view text) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

bool equal(const Digest& one, const Digest& other) {
  return CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

Result<ApiKey> read_api_key(std::string_view name, std::string_view text) {
  const auto wrong = [name](std::string_view what) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("API key {}: {}", name, what));
  };
  const model::YamlFile yaml = model::parse_yaml("", text);
  if (!yaml.faults.empty()) return wrong(places(yaml.faults));
  if (yaml.documents.size() != 1 || yaml.documents[0].mapping() == nullptr) {
    return wrong("expected an object with key or sha256");
  }
  auto parsed = model::parse(entry_type(), "", yaml.documents[0]);
  if (!parsed.faults.empty()) return wrong(places(parsed.faults));
  const Entry& entry = parsed.value;
  if (entry.key.has_value() == entry.sha256.has_value()) {
    return wrong("expected exactly one of key, sha256");
  }
  return ApiKey{.name = std::string(name),
                .digest = entry.key ? digest_of(*entry.key) : from_hex(*entry.sha256),
                .indices = entry.indices,
                .rate_limit = entry.rate_limit,
                .commands = entry.commands};
}

const IndexGrant* grant_of(const ApiKey& key, std::string_view index) {
  static const IndexGrant kAll;
  if (!key.indices) return &kAll;
  const auto found = std::ranges::find(*key.indices, index, &IndexGrant::name);
  return found == key.indices->end() ? nullptr : &*found;
}

Result<Restriction> restrict(const FieldCatalog& declared, const FieldCatalog& everything,
                             const IndexGrant& grant) {
  ASSIGN_OR_RETURN(FieldCatalog catalog, declared.restricted(grant.fields));
  Restriction made{.catalog = std::move(catalog), .fixed = {}, .visible = grant.fields};
  if (!grant.filter) return made;
  ASSIGN_OR_RETURN(const model::Node filter, model::parse_json(grant.filter->text));
  Faults faults;
  // Of every field, also of those that the key may not use itself.
  made.fixed = translate_filter(filter, "filter", everything, faults);
  if (faults.empty()) return made;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("index {}: {}: expected {}", grant.name, faults.list()[0].path,
                          faults.list()[0].expected));
}

}  // namespace searchsync::query
