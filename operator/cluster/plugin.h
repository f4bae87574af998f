#pragma once

// What `kubectl searchsync` does: it reads the resources' status, and edits their spec as a person
// would. The operator does the rest.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "lib/model/resources.h"
#include "operator/cluster/changes.h"

namespace searchsync::dlq {
class Desk;
}

namespace searchsync::cluster {

class Plugin {
 public:
  // `client` must outlive this. namespace_: empty for all, which only status() takes.
  Plugin(kube::Client& client, std::string namespace_);

  // A table of the indices, or of one with its bindings, conditions and indices.
  Result<std::string> status(const std::optional<std::string>& index);

  // What applying a file or folder would change, and what follows. What is there already the API
  // server is asked to try, so whoever asks has to be allowed to patch it. Errors: kInvalidArgument
  // with every fault that the resources would have, or why the API server refuses them.
  Result<std::string> plan(const std::filesystem::path& path);

  // Asks the Kafka that the resource names, with the secrets that it names, from here. Errors: as
  // dlq::Desk::open(), and where no broker is in reach, how to ask from inside of the cluster.
  Result<std::unique_ptr<dlq::Desk>> dead_letters(const std::string& index);

  // Each says in a line what it has done. Errors: kNotFound; kInvalidArgument if there is nothing
  // of the kind to be done, saying why.
  Result<std::string> reindex(const std::string& index);
  Result<std::string> approve(const std::string& index);
  // Back to `to`, or to the index that served before. Takes effect within seconds.
  Result<std::string> rollback(const std::string& index, const std::optional<std::string>& to);
  // To what is declared, after a rollback.
  Result<std::string> forward(const std::string& index);
  Result<std::string> pause(const std::string& index);
  Result<std::string> resume(const std::string& index);

 private:
  std::unexpected<Error> failed(const std::string& index, const kube::ApiError& error);
  Result<std::string> get(const std::string& index);
  Result<void> patch(const std::string& index, std::string_view spec);
  struct Live;
  Result<void> read_live(const std::string& of, Live& live);
  std::string from_inside(const std::string& index);

  kube::Client& client_;
  const std::string namespace_;
};

}  // namespace searchsync::cluster
