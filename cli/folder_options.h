#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

namespace searchsync::cli {

// The options of the subcommands that take a folder of resources.
struct FolderOptions {
  std::string directory;
  std::string state_dir;
  std::string secrets;

  void add_directory(CLI::App& command) {
    command.add_option("DIR", directory, "Folder of YAML files: SearchIndex and SourceBinding")
        ->required();
  }
  void add_state_dir(CLI::App& command) {
    command.add_option("--state-dir", state_dir,
                       "Where `run` keeps its state and the logs [DIR/.searchsync]");
  }
  void add_secrets(CLI::App& command) {
    command.add_option("--secrets", secrets,
                       "Folder of secrets: each entry is the file <secret>/<key> [DIR/secrets].\n"
                       "Else the variable SEARCHSYNC_SECRET_<SECRET>_<KEY>");
  }

  std::filesystem::path state_path() const { return absolute(state_dir, ".searchsync"); }
  std::filesystem::path secrets_path() const { return absolute(secrets, "secrets"); }

 private:
  std::filesystem::path absolute(const std::string& given, const char* otherwise) const {
    const auto path =
        given.empty() ? std::filesystem::path(directory) / otherwise : std::filesystem::path(given);
    return std::filesystem::absolute(path).lexically_normal();
  }
};

// The options of the roles that `run` starts.
struct RoleOptions {
  std::string config;
  std::string secrets;
  std::string listen = "127.0.0.1:0";
  std::string address_file;

  void add(CLI::App& command) {
    command.add_option("--config", config, "Role configuration, JSON, written by the planner")
        ->required();
    command.add_option("--secrets", secrets,
                       "Folder of secrets: each entry is the file <secret>/<key>.\n"
                       "Else the variable SEARCHSYNC_SECRET_<SECRET>_<KEY>");
    command
        .add_option("--listen", listen, "HOST:PORT for /metrics, /healthz, /readyz; port 0: any")
        ->capture_default_str();
    command.add_option("--address-file", address_file,
                       "Where to write the address listened on, once it is");
  }
};

}  // namespace searchsync::cli
