#pragma once

#include <functional>
#include <string>

#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "operator/cluster/recorder.h"
#include "operator/cluster/store.h"
#include "operator/cluster/table_objects.h"

namespace searchsync::cluster {

// Makes the objects of a database's tables, and deletes them. Thread-safe; of one database only one
// call at a time.
class TableKeeper {
 public:
  // The references must outlive this.
  TableKeeper(Store& store, kube::Client& client, Recorder& recorder)
      : store_(store), client_(client), recorder_(recorder) {}

  struct Outcome {
    bool whole = true;    // false: it is to be tried again
    std::string problem;  // what could not be done first, and why; empty: nothing
  };
  // Goes on with the next table behind what cannot be done. may_act: asked before each write.
  // database: the SearchIndex that events are about.
  Outcome carry_out(const TableChanges& changes, const Meta& database,
                    const std::function<bool()>& may_act);

 private:
  kube::ApiResult<void> apply(const TableChanges::Apply& change, const Meta& database);
  kube::ApiResult<void> remove(const TableChanges::Remove& change, const Meta& database);

  Store& store_;
  kube::Client& client_;
  Recorder& recorder_;
};

}  // namespace searchsync::cluster
