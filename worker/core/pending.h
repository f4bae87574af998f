#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "worker/core/worker.h"

namespace searchsync::worker {

// What a batch caused, as kept until all of it is done: what a crash must not lose. Sends and
// refusals as they are; documents by name, for they are built again.
struct Pending {
  Offset since;  // the oldest offset whose effects are in it
  Offset last;
  std::vector<Send> sends;
  std::vector<Refused> refused;
  std::vector<TouchedRoots::Touch> touched;
};

std::string encode_pending(Offset since, Offset last, const Work& work);
// bytes: as encode_pending() wrote them.
Pending decode_pending(std::string_view bytes);

}  // namespace searchsync::worker
