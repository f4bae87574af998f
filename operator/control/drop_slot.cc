#include "operator/control/drop_slot.h"

#include <fmt/core.h>

#include <vector>

#include "lib/base/log.h"
#include "lib/postgres/connection.h"
#include "lib/postgres/quote.h"

namespace searchsync::control {
namespace {

constexpr std::chrono::seconds kTimeout{5};

using Values = std::vector<std::optional<std::string>>;

}  // namespace

Result<void> drop_slot(const model::CaptureConfig& capture, const model::SecretStore& secrets) {
  const auto name = model::slot_name(capture);
  ASSIGN_OR_RETURN(const auto conninfo, model::postgres_conninfo(secrets, capture.database));
  ASSIGN_OR_RETURN(auto connection,
                   postgres::Connection::connect(
                       conninfo, {.application_name = "searchsync-operator", .timeout = kTimeout}));
  ASSIGN_OR_RETURN(
      const auto slots,
      connection.query("SELECT coalesce(active_pid::text, '') FROM pg_replication_slots WHERE "
                       "slot_name = $1 AND plugin = 'pgoutput' AND database = current_database()",
                       Values{name}));
  if (slots.size() > 0) {
    if (const auto pid = slots.text(0, 0); !pid.empty()) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("slot {} of database {} is still read from, by the server's process "
                              "{}",
                              name, connection.database(), pid));
    }
    RETURN_IF_ERROR(connection.query("SELECT pg_drop_replication_slot($1)", Values{name}));
  }
  const auto dropped = connection.query(
      fmt::format("DROP PUBLICATION IF EXISTS {}", postgres::quote_identifier(name)));
  if (!dropped && dropped.error().code != ErrorCode::kPermission) {
    return std::unexpected(dropped.error());
  }
  if (!dropped) log::info("publication {} stays: {}", name, dropped.error().message);
  return {};
}

}  // namespace searchsync::control
