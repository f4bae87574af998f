#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/commands.h"
#include "cli/dlq_commands.h"
#include "lib/base/log.h"
#include "lib/kube/client.h"
#include "lib/kube/credentials.h"
#include "lib/kube/transport.h"
#include "lib/metrics/registry.h"
#include "operator/cluster/plugin.h"
#include "operator/dlq/desk.h"

namespace searchsync::cli {
namespace {

constexpr const char* kAbout =
    "How the search indices of a cluster stand, and what can be done about them.";

constexpr const char* kExamples =
    "Examples:\n"
    "  kubectl searchsync status                 all indices of the namespace\n"
    "  kubectl searchsync status test-runs       one of them, with its bindings\n"
    "  kubectl searchsync plan -f my-index/      what applying these files would change\n"
    "  kubectl searchsync rollback test-runs     back to the index that served before\n"
    "  kubectl searchsync dlq list test-runs     what could not be used, and why\n";

struct Options {
  kube::ConfigChoice cluster;
  std::string kubeconfig;
  std::string namespace_;
  bool all_namespaces = false;
  std::string index;
  std::string to;
  std::string file;
};

using Act = std::function<Result<Said>(cluster::Plugin&, const Options&)>;
using Say = std::function<Result<std::string>(cluster::Plugin&, const Options&)>;

Result<ExitCode> run(const Options& given, const Act& act) {
  Options options = given;
  if (!options.kubeconfig.empty()) options.cluster.kubeconfig = options.kubeconfig;
  ASSIGN_OR_RETURN(auto config, kube::find_cluster_config(options.cluster));
  if (options.namespace_.empty()) options.namespace_ = config.default_namespace;
  if (options.all_namespaces) options.namespace_.clear();
  metrics::Registry registry;
  ASSIGN_OR_RETURN(const auto credentials, kube::Credentials::create(std::move(config)));
  ASSIGN_OR_RETURN(const auto transport, kube::connect(*credentials, registry));
  kube::Client client(*transport, {.user_agent = "kubectl-searchsync"});
  cluster::Plugin plugin(client, options.namespace_);
  ASSIGN_OR_RETURN(const auto said, act(plugin, options));
  fmt::print("{}", said.text);
  return said.whole ? kOk : kFailed;
}

// options, act: outlive parsing and running.
void add_dead_letters(CLI::App& app, Options& options, Act& act) {
  const auto reached = std::make_shared<cluster::Plugin*>();
  add_dlq_commands(
      *app.add_subcommand("dlq", "Dead letters: see them, try them again, or leave them out"),
      {.called = "kubectl searchsync dlq",
       .subject = "test-runs",
       .add_subject =
           [&](CLI::App& command) {
             command.add_option("INDEX", options.index, "The SearchIndex")->required();
           },
       .open = [&options, reached] { return (*reached)->dead_letters(options.index); },
       .chosen =
           [&act, reached](auto what) {
             act = [reached, what](auto& plugin, const Options&) {
               *reached = &plugin;
               return what();
             };
           }});
}

}  // namespace

int kubectl_plugin(int argc, char** argv) {
  CLI::App app(kAbout, "kubectl searchsync");
  app.footer(kExamples);
  app.require_subcommand(1);
  app.fallthrough();
  Options options;
  Act act;
  app.add_option("--kubeconfig", options.kubeconfig, "How to reach the cluster [$KUBECONFIG]");
  app.add_option("--context", options.cluster.context, "Of the kubeconfig [the current one]");
  app.add_option("-n,--namespace", options.namespace_, "Of the indices [the context's]");
  const auto add = [&](const char* name, const char* about, Say say) {
    auto* command = app.add_subcommand(name, about);
    command->callback([&act, say = std::move(say)] {
      act = [say](auto& plugin, const Options& o) -> Result<Said> {
        ASSIGN_OR_RETURN(auto text, say(plugin, o));
        return Said{.text = std::move(text)};
      };
    });
    return command;
  };
  const auto of_index = [&](CLI::App* command) {
    command->add_option("INDEX", options.index, "The SearchIndex")->required();
    return command;
  };
  auto* status = add("status", "How indices stand", [](auto& plugin, const Options& o) {
    return plugin.status(o.index.empty() ? std::nullopt : std::optional(o.index));
  });
  status->add_option("INDEX", options.index, "One SearchIndex, in detail [all]");
  status->add_flag("-A,--all-namespaces", options.all_namespaces, "Of all namespaces");
  add("plan", "What applying files would change, and whether the index is built anew for it",
      [](auto& plugin, const Options& o) { return plugin.plan(o.file); })
      ->add_option("-f,--filename", options.file, "File, or folder of YAML files")
      ->required();
  auto* rollback = of_index(add("rollback", "Back to an index that is kept warm, within seconds",
                                [](auto& plugin, const Options& o) {
                                  return plugin.rollback(
                                      o.index, o.to.empty() ? std::nullopt : std::optional(o.to));
                                }));
  rollback->add_option("--to", options.to, "Which one [the one that served before]");
  of_index(add("forward", "After a rollback: to what is declared again",
               [](auto& plugin, const Options& o) { return plugin.forward(o.index); }));
  of_index(add("reindex", "Build the index anew, beside the one that serves",
               [](auto& plugin, const Options& o) { return plugin.reindex(o.index); }));
  of_index(add("approve", "Let the new index take over, where approval is Manual",
               [](auto& plugin, const Options& o) { return plugin.approve(o.index); }));
  of_index(add("pause", "Neither read nor write; queries are still answered",
               [](auto& plugin, const Options& o) { return plugin.pause(o.index); }));
  of_index(add("resume", "Go on after a pause",
               [](auto& plugin, const Options& o) { return plugin.resume(o.index); }));
  add_dead_letters(app, options, act);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  // What it has to say is what it prints.
  (void)log::configure("error", "kubectl-searchsync");
  const auto done = run(options, act);
  if (done) return *done;
  fmt::print(stderr, "kubectl searchsync: {}\n", done.error().message);
  return kFailed;
}

}  // namespace searchsync::cli
