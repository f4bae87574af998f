#pragma once

#include "lib/model/node.h"
#include "lib/model/schema.h"

namespace searchsync::model {

// Whether what is absent is filled in by the API server. In a spec: the same defaults as ours, for
// all to see. Not in a status: what nobody has said is not known.
enum class Defaults { kFilled, kLeftOut };

// A type as a structural OpenAPI v3 schema, in the form that custom resource definitions have.
//
// An object whose fields all have defaults, and that is itself there by default, has the default
// {}: the API server fills in the rest. Strings are bounded in characters and, where they may be
// other than ASCII, by a rule in bytes, as ours are.
Node open_api_schema(const Type& type, Defaults defaults);

// Of a whole resource: what it says of its spec, the type of its status, and of its metadata, which
// the API server looks after, no more than that it has a name.
Node resource_schema(const Type& resource, const Type& status);

}  // namespace searchsync::model
