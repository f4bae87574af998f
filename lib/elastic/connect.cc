#include "lib/elastic/connect.h"

namespace searchsync::elastic {

Result<http::ClientOptions> client_options(const model::ElasticsearchSpec& spec,
                                           const model::ElasticsearchCredentials& credentials) {
  http::ClientOptions options{.base_urls = spec.urls, .ca_pem = credentials.ca_pem};
  const bool password = !credentials.username.empty() || !credentials.password.empty();
  if (!credentials.api_key.empty()) {
    if (password) {
      return fail(ErrorCode::kInvalidArgument,
                  "the credentials of the search engine have both an apiKey and a password; keep "
                  "one of them");
    }
    options.auth = http::ApiKeyAuth{credentials.api_key};
  } else if (password) {
    if (credentials.username.empty() || credentials.password.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  "the credentials of the search engine need both a username and a password");
    }
    options.auth = http::BasicAuth{credentials.username, credentials.password};
  }
  return options;
}

}  // namespace searchsync::elastic
