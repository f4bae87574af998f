#pragma once

#include <string_view>

namespace searchsync::query {

// Whether both engines understand `text` as a time, in the default format of a date field:
// "2024-01-15", "2024-01-15T10:30:00.5Z", "now", each with date math: "now-30d/d",
// "2024-01-15||+1M".
// Source: Elasticsearch and OpenSearch, "Date math" and format strict_date_optional_time.
bool is_time(std::string_view text);

}  // namespace searchsync::query
