#pragma once

#include <string>
#include <string_view>

#include "operator/plan/catalog.h"

namespace searchsync::plan {

// What a table is called outside of its database. Each follows from the table's own name alone, so
// that it stays what it is whatever other tables come and go; and no two tables share one.

// In paths, and for people: "orders", of another schema than public "sales.orders".
std::string path_name(const TableName& table);

// "shop-order-items" of shop and order_items; of another schema "shop-sales--orders". Lowercase
// letters, digits and -, at most bytes_max. What does not fit that, or would be another's, ends in
// "---" and a hash. bytes_max: at least 20.
std::string derived_name(std::string_view prefix, const TableName& table, size_t bytes_max);

// The same, whatever the name: where somebody else has the plain one.
std::string hashed_name(std::string_view prefix, const TableName& table, size_t bytes_max);

// Lowercase letters, digits and single -; others become one. Not unique.
std::string slug(std::string_view text);

// "public.*": * stands for any characters, also none.
bool matches(std::string_view pattern, std::string_view name);

}  // namespace searchsync::plan
