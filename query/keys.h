#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/resources.h"
#include "query/rules.h"

namespace searchsync::query {

// SHA-256.
using Digest = std::array<unsigned char, 32>;
Digest digest_of(std::string_view text);
// Takes as long wherever they differ.
bool equal(const Digest& one, const Digest& other);

// What a key may see of one index.
struct IndexGrant {
  std::string name;                       // as in paths
  std::vector<std::string> fields;        // and all that is within them; empty: all
  std::optional<model::JsonText> filter;  // documents must fit it, whatever is asked
  friend bool operator==(const IndexGrant&, const IndexGrant&) = default;
};

struct ApiKey {
  std::string name;  // of the secret's entry: for logs, never what is presented
  Digest digest{};   // of what is presented
  std::optional<std::vector<IndexGrant>> indices;    // none: all of every index
  std::optional<model::RateLimitSpec> rate_limit;    // in place of that of the resource
  std::optional<std::vector<std::string>> commands;  // none: all, if it may see every index
};

// Reads an entry of the secret: YAML or JSON,
//   key: the key itself, at least 16 bytes; or sha256: 64 hex digits of its hash
//   indices: [{name: orders, fields: [id, total], filter: {equals: {field: tenant, value: acme}}}]
//   rateLimit: {perSecond: 10, burst: 20}
//   commands: [add_widget]
// Errors: kInvalidArgument, with every fault, one a line, and nothing of the key.
Result<ApiKey> read_api_key(std::string_view name, std::string_view text);

// What the key may see of the index; null: nothing. A key without `indices` has an empty grant.
const IndexGrant* grant_of(const ApiKey& key, std::string_view index);

// An index as a key may ask it. catalog: all that is declared, all of it filterable.
// Errors: kInvalidArgument: the grant does not fit the index.
struct Restriction {
  FieldCatalog catalog;
  std::string fixed;                 // a query of the engine's; empty: none
  std::vector<std::string> visible;  // of documents; empty: all
};
Result<Restriction> restrict(const FieldCatalog& declared, const FieldCatalog& everything,
                             const IndexGrant& grant);

}  // namespace searchsync::query
