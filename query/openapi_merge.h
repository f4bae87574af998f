#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace searchsync::query {

// One OpenAPI document of several, each of openapi_document() and with a name of its own: what they
// all call the same is theirs, and called "<name>.…". Paths that are the same in all are there
// once. At least one.
std::string merge_openapi(std::string_view title,
                          std::span<const std::pair<std::string, std::string>> documents);

}  // namespace searchsync::query
