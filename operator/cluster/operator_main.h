#pragma once

#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "lib/base/error.h"
#include "lib/kube/cluster_config.h"
#include "operator/cluster/manifests.h"

namespace searchsync::cluster {

struct OperatorOptions {
  kube::ConfigChoice cluster;
  // Which namespaces to work in: these, or those with a label, or all.
  std::set<std::string> namespaces;
  std::string namespace_selector;  // "searchsync.io/tenant=yes"
  std::string listen = "127.0.0.1:0";
  std::string address_file;
  PodOptions pods;
  int threads = 8;  // indices that are reconciled at a time
  // Where the Lease is by which one of several operators leads; its namespace is the pod's own.
  std::string lease_namespace;  // empty: that of the cluster's configuration
  std::string lease_name = "searchsync-operator";
  std::string identity;  // empty: the host's name
};

// Keeps what is declared in a cluster until stop. Errors: the API server cannot be reached as
// configured, the resources' definitions are not installed, listen.
Result<void> run_operator(const OperatorOptions& options, std::stop_token stop);

}  // namespace searchsync::cluster
