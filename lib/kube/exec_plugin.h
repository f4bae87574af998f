#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/time_text.h"
#include "lib/kube/cluster_config.h"

namespace searchsync::kube {

// What an exec plugin handed out. A secret.
struct ExecCredential {
  std::string token;
  std::string certificate_pem;
  std::string key_pem;
  std::optional<WallTime> expires;
};

// Reads what a plugin has written. command: for messages, which hold nothing of the text.
// Errors: kMalformed. Source: client.authentication.k8s.io/v1, ExecCredential.
Result<ExecCredential> parse_exec_credential(std::string_view text, const ExecPlugin& plugin);

// The value of KUBERNETES_EXEC_INFO: what a plugin is told. ca_pem: of `config`, as read.
std::string exec_info(const ClusterConfig& config, const std::string& ca_pem);

// Runs the program, without input and with our standard error, and reads its standard output. Waits
// for its end. Errors: kNotFound, kPermission (it failed), kTimeout (it was killed), kMalformed.
Result<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, const std::string& info,
                                       std::chrono::milliseconds timeout);

}  // namespace searchsync::kube
