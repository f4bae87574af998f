#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/signals.h"
#include "operator/cluster/operator_main.h"

namespace searchsync::cli {

void add_operator(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand(
      "operator",
      "Keep what SearchIndex and SourceBinding resources of a Kubernetes cluster declare, with "
      "pods\n"
      "for capture, workers and queries. Of several operators one leads, the others stand by.");
  const auto options = std::make_shared<cluster::OperatorOptions>();
  const auto namespaces = std::make_shared<std::vector<std::string>>();
  const auto kubeconfig = std::make_shared<std::string>();
  command->add_option("--kubeconfig", *kubeconfig,
                      "How to reach the cluster [$KUBECONFIG, the pod's service account, "
                      "~/.kube/config]");
  command->add_option("--context", options->cluster.context, "Of the kubeconfig [the current one]");
  auto* named = command->add_option("--namespace", *namespaces,
                                    "Watch this namespace; may be repeated [all namespaces]");
  command
      ->add_option("--namespace-selector", options->namespace_selector,
                   "Watch the namespaces with these labels, as they get and lose them:\n"
                   "KEY=VALUE,…")
      ->excludes(named);
  command->add_option("--image", options->pods.image, "Image of the pods")
      ->envname("SEARCHSYNC_IMAGE")
      ->required();
  command->add_option("--image-pull-policy", options->pods.image_pull_policy, "Of the pods")
      ->capture_default_str();
  command->add_option("--pod-spec", options->pods.pod_spec,
                      "JSON: fields of all pods' spec, such as nodeSelector and tolerations");
  command->add_option("--lease-namespace", options->lease_namespace,
                      "Where the Lease is by which a leader is elected [the operator's own]");
  command->add_option("--lease-name", options->lease_name, "Its name")->capture_default_str();
  command->add_option("--threads", options->threads, "Indices that are looked at in parallel")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  command
      ->add_option("--listen", options->listen,
                   "HOST:PORT for /metrics, /healthz, /readyz; port 0: any")
      ->capture_default_str();
  command->add_option("--address-file", options->address_file,
                      "Where to write the address listened on, once it is");
  command->footer(
      "Example, from outside of a cluster:\n"
      "  searchsync operator --kubeconfig ~/.kube/config --image searchsync:latest");
  command->callback([&invocation, options, namespaces, kubeconfig] {
    invocation.role = "operator";
    invocation.run = [&invocation, options, namespaces, kubeconfig]() -> Result<ExitCode> {
      const Signals signals;
      options->namespaces = {namespaces->begin(), namespaces->end()};
      if (!kubeconfig->empty()) options->cluster.kubeconfig = *kubeconfig;
      options->pods.log_level = invocation.log_level;
      RETURN_IF_ERROR(cluster::run_operator(*options, signals.token()));
      return kOk;
    };
  });
}

}  // namespace searchsync::cli
