#include "lib/kafka/connect.h"

namespace searchsync::kafka {

Result<ClientConfig> client_config(const model::KafkaSpec& spec, const model::SecretStore& secrets,
                                   std::string client_id) {
  ASSIGN_OR_RETURN(const auto credentials, model::kafka_credentials(secrets, spec));
  ClientConfig config;
  config.bootstrap_servers = spec.bootstrap_servers;
  config.client_id = std::move(client_id);
  if (!credentials.mechanism.empty()) {
    config.sasl = {credentials.mechanism, credentials.username, credentials.password};
  }
  if (credentials.encryption == model::Encryption::kTls) config.ca_pem = credentials.ca_pem;
  return config;
}

}  // namespace searchsync::kafka
