#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace searchsync::kafka {

struct Sasl {
  std::string mechanism;  // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
  std::string username;
  std::string password;  // in no log line and no error message
};

// How to reach a cluster. TLS is used if and only if ca_pem is set, or if `extra` says so.
struct ClientConfig {
  std::vector<std::string> bootstrap_servers;  // "host:port", at least one
  std::string client_id = "searchsync";
  std::optional<Sasl> sasl;
  std::optional<std::string> ca_pem;  // certificates of the authorities to trust, PEM
  // librdkafka properties, applied last: they win over everything, ours included.
  std::map<std::string, std::string> extra;
};

// "a:9092,b:9092", for messages.
std::string broker_list(const ClientConfig& config);

}  // namespace searchsync::kafka
