#pragma once

#include <string_view>

#include "lib/base/error.h"

namespace searchsync::kafka {

// What a librdkafka response code (rd_kafka_resp_err_t) means to our callers. The one place where
// this is decided; a code nobody thought of is kInternal.
ErrorCode code_of(int rdkafka_code);

// "<context>: <what Kafka said>; <what to do>". `detail` is librdkafka's own explanation of this
// occurrence and may be empty.
Error make_error(int rdkafka_code, std::string_view context, std::string_view detail = {});

}  // namespace searchsync::kafka
