#pragma once

// The two objects of each table of a database, as they are in a cluster and as they have to be.
// Pure.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/function_ref.h"
#include "operator/cluster/manifests.h"
#include "operator/cluster/objects.h"
#include "operator/plan/expand.h"

namespace searchsync::cluster {

// What there is beside an index with `tables`, which may be among it.
struct Neighbours {
  std::vector<std::shared_ptr<const DeclaredIndex>> indices;     // of all namespaces
  std::vector<std::shared_ptr<const DeclaredBinding>> bindings;  // of its own
};

struct TableObjects {
  // Of its tables, by name. Also those that Kubernetes has been told to delete.
  std::map<std::string, std::shared_ptr<const DeclaredIndex>> indices;
  std::map<std::string, std::shared_ptr<const DeclaredBinding>> bindings;
  // Names that are about to be free: their objects are being deleted, or are those of a SearchIndex
  // of the same name that was deleted, and which they follow.
  std::set<std::string> leaving;
  // Names of others, as expand() has them: of objects in the namespace, and of aliases at the same
  // engine that no table of this database has already.
  std::set<std::string> taken;
  bool retains = false;  // the database's deletionPolicy is Retain
};

// An object is one of its tables' if the SearchIndex owns it, or if it is labelled so and nobody
// owns it. What a person makes is neither, and is never taken over. database: can be read.
TableObjects find_table_objects(const DeclaredIndex& database, const Neighbours& neighbours);

// What a database had last, as its objects have it: those that can be read and stay. No reasons and
// no remarks.
plan::Expansion remembered_expansion(const TableObjects& objects);

struct TableChanges {
  struct Apply {
    std::string table;  // schema.table
    Manifest manifest;
    std::string uid;  // of the object that it changes; empty: there is none yet
  };
  struct Remove {
    kube::ResourceType type;
    kube::ObjectKey key;
    std::string uid;
    bool retain = false;  // its data, though its own spec says otherwise
  };
  std::vector<Apply> apply;         // of each table its index before its binding
  std::vector<Remove> remove;       // bindings last
  std::vector<std::string> faults;  // of tables that are left as they are: a phrase each
  bool waits = false;               // for names that are leaving
};

// What makes the objects those of the expansion. Nothing: they are. find_fault: asked of what is to
// be written, why it is not to be; empty: it is.
TableChanges table_changes(const plan::Expansion& expansion, const TableObjects& objects,
                           FunctionRef<std::string(const plan::KeptTable&)> find_fault,
                           const Owner& owner);

// Whether what is declared in an object is what its manifest has. live: as the API server gives it.
bool is_as_applied(const Manifest& manifest, std::string_view live);

// The merge patch (RFC 7396) that makes the object's spec that of its manifest, where applying it
// leaves what somebody else has put there: of this very version. live: as the API server gives it.
// Empty: there is nothing to change.
std::string correction(const Manifest& manifest, std::string_view live);

}  // namespace searchsync::cluster
