#pragma once

#include <string>
#include <string_view>

#include "lib/kube/client.h"

namespace searchsync::kube {

// "?limit=500&continue=…". No resourceVersion: the newest state there is, never a cache's.
std::string list_query(const ListOptions& options);

// Of a watch that goes on after `resource_version`, with bookmarks.
std::string watch_query(const ListOptions& options, std::string_view resource_version,
                        std::chrono::seconds timeout);

// What to write into Accept.
std::string_view list_accept(Content content);
std::string_view watch_accept(Content content);

}  // namespace searchsync::kube
