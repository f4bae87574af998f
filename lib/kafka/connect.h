#pragma once

#include "lib/base/error.h"
#include "lib/kafka/client.h"
#include "lib/model/resources.h"
#include "lib/model/secrets.h"

namespace searchsync::kafka {

// How a resource says that its Kafka is reached. Errors: those of kafka_credentials().
Result<ClientConfig> client_config(const model::KafkaSpec& spec, const model::SecretStore& secrets,
                                   std::string client_id = "searchsync");

}  // namespace searchsync::kafka
