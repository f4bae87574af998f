#include <cstddef>
#include <cstdint>
#include <string_view>

#include "capture/core/pgoutput.h"

// Any bytes are decoded or refused, and never read past their end.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  searchsync::capture::pgoutput::Decoder decoder;
  (void)decoder.decode(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
