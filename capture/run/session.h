#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "capture/run/capture_metrics.h"
#include "capture/run/prerequisites.h"
#include "lib/base/error.h"
#include "lib/http/health.h"
#include "lib/kafka/client.h"

namespace searchsync::capture {

struct SessionOptions {
  WantedCapture wanted;
  std::string version;
  std::string state_topic;
  std::string positions_topic;
  std::string conninfo;  // holds the password
  kafka::ClientConfig kafka;
  int32_t replication_factor = 1;
  int32_t partitions = 8;
  double retained_wal_warning_bytes = 4.0 * (1 << 30);
};

// One session: makes what is missing, starts the stream where the saved state says, and runs until
// something fails or `stop`. `started` is called once records can flow. After it anything can be
// repeated: the next session continues from what was saved.
//
// Returns without error only after `stop`, with everything flushed and confirmed.
Result<void> run_session(const SessionOptions& options, CaptureMetrics& metrics,
                         http::Health& health, const std::function<void()>& started,
                         std::stop_token stop);

}  // namespace searchsync::capture
