#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "capture/core/state.h"
#include "capture/core/value.h"
#include "lib/base/error.h"
#include "lib/base/function_ref.h"

namespace searchsync::capture {

// What the engine asks the database beside the stream. Calls may block.
class Database {
 public:
  virtual ~Database() = default;

  // How values of these types, by OID, become JSON; in the same order.
  virtual Result<std::vector<ValueType>> value_types(std::span<const uint32_t> oids) = 0;

  struct Lookup {
    size_t table = 0;
    uint32_t xid = 0;
    std::vector<std::vector<std::string>> keys;  // values as text, in key order
    std::vector<std::string> columns;
  };
  using Values = std::vector<std::optional<std::string>>;  // as text, in the order of the columns
  // The values of `columns` in the rows with these keys, in the same order; nullopt: no such row.
  // Waits until transaction `xid` is visible. A column that is gone is null.
  virtual Result<std::vector<std::optional<Values>>> rows(const Lookup& lookup) = 0;
};

// The tables' topics.
class Outlet {
 public:
  virtual ~Outlet() = default;

  // Appends a record, in the order of the calls for each key. Engine::on_acknowledged(token)
  // follows. May block while too much is in flight, and acknowledge other records meanwhile: not
  // before it returns, though.
  virtual Result<void> append(size_t table, std::string_view key,
                              std::optional<std::string_view> value, uint64_t token) = 0;

  // Waits until all that was appended is safe, then visits each key of the table's topic that is
  // alive, with a newest position below `below`. In any order; `visit` may append.
  virtual Result<void> each_live_key(size_t table, Position below,
                                     FunctionRef<Result<void>(std::string_view key)> visit) = 0;
};

}  // namespace searchsync::capture
