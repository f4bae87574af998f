#pragma once

#include <optional>
#include <string>
#include <vector>

#include "capture/core/session_plan.h"
#include "lib/base/error.h"
#include "lib/postgres/connection.h"

namespace searchsync::capture {

struct WantedTable {
  std::string schema;
  std::string name;
  std::string topic;
};

struct WantedCapture {
  std::string name;  // of the capture
  std::string slot;
  std::string publication;
  std::vector<WantedTable> tables;
};

struct Inspected {
  SessionFacts facts;                          // without topic_epoch, system_id and timeline
  bool publication_fits = false;               // it exists and has these tables and settings
  std::vector<std::string> publication_extra;  // tables in it that are not wanted
};

// Looks at everything that capturing these tables needs. Changes nothing.
// Errors: kUnsupported, whose message holds every fault, one a line, each with the SQL that mends
// it; and those of the connection.
Result<Inspected> inspect(postgres::Connection& connection, const WantedCapture& wanted);

// Makes or alters the publication so that it has exactly the wanted tables.
Result<void> fit_publication(postgres::Connection& connection, const WantedCapture& wanted,
                             const Inspected& inspected);

}  // namespace searchsync::capture
