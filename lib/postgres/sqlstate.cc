#include "lib/postgres/sqlstate.h"

#include <array>
#include <utility>

namespace searchsync::postgres {
namespace {

// The longest prefix decides: exact states before classes.
constexpr std::array<std::pair<std::string_view, ErrorCode>, 30> kMeaning = {{
    {"42501", ErrorCode::kPermission},   // insufficient_privilege
    {"42704", ErrorCode::kNotFound},     // undefined_object: a slot, a publication, a type
    {"42P01", ErrorCode::kNotFound},     // undefined_table
    {"42703", ErrorCode::kNotFound},     // undefined_column
    {"3D000", ErrorCode::kNotFound},     // database does not exist
    {"3F000", ErrorCode::kNotFound},     // schema does not exist
    {"42710", ErrorCode::kConflict},     // duplicate_object
    {"42P07", ErrorCode::kConflict},     // duplicate_table
    {"55006", ErrorCode::kUnavailable},  // object_in_use: the slot is another process's
    {"55P03", ErrorCode::kUnavailable},  // lock_not_available
    {"55000", ErrorCode::kUnsupported},  // object_not_in_prerequisite_state: wal_level, lost slot
    {"53400", ErrorCode::kLimit},        // configuration_limit_exceeded: all slots are in use
    {"57014", ErrorCode::kTimeout},      // query_canceled, also by statement_timeout
    {"58P01", ErrorCode::kUnsupported},  // undefined_file: WAL that was removed
    {"25006", ErrorCode::kUnsupported},  // read only: a standby
    {"0A", ErrorCode::kUnsupported},
    {"08", ErrorCode::kUnavailable},
    {"28", ErrorCode::kPermission},
    {"40", ErrorCode::kUnavailable},  // serialization, deadlock: again
    {"53", ErrorCode::kUnavailable},  // out of memory, disk, connections
    {"57", ErrorCode::kUnavailable},  // shutdown, crash, not yet up
    {"58", ErrorCode::kUnavailable},  // the operating system under it
    {"42", ErrorCode::kInvalidArgument},
    {"22", ErrorCode::kInvalidArgument},
    {"23", ErrorCode::kConflict},
    {"25", ErrorCode::kInternal},
    {"26", ErrorCode::kInternal},
    {"34", ErrorCode::kInternal},
    {"3B", ErrorCode::kInternal},
    {"XX", ErrorCode::kInternal},
}};

}  // namespace

ErrorCode code_of_sqlstate(std::string_view sqlstate) {
  for (const auto& [prefix, code] : kMeaning) {
    if (sqlstate.starts_with(prefix)) return code;
  }
  return ErrorCode::kInternal;
}

}  // namespace searchsync::postgres
