#pragma once

#include "lib/base/error.h"
#include "lib/http/client.h"
#include "lib/model/resources.h"
#include "lib/model/secrets.h"

namespace searchsync::elastic {

// How to reach the engine that a SearchIndex names. credentials: of
// model::elasticsearch_credentials. kInvalidArgument if they are incomplete.
Result<http::ClientOptions> client_options(const model::ElasticsearchSpec& spec,
                                           const model::ElasticsearchCredentials& credentials);

}  // namespace searchsync::elastic
