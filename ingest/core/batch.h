#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace searchsync::ingest {

// Of a batch that may still grow by one event.
inline constexpr size_t kBatchBytesMax = 16 << 20;

// Records for one topic, in the order in which they are to be appended.
struct Batch {
  struct Record {
    size_t begin = 0;  // of the key, in `bytes`; the value follows it
    size_t key_size = 0;
    size_t value_size = 0;
    size_t id_begin = 0;  // of the event's id, as JSON, in the value; size 0: it has none
    size_t id_size = 0;
    size_t place = 0;  // of the event in the request
  };

  std::string_view key(const Record& record) const { return view(record.begin, record.key_size); }
  std::string_view value(const Record& record) const {
    return view(record.begin + record.key_size, record.value_size);
  }
  std::string_view id(const Record& record) const { return view(record.id_begin, record.id_size); }

  std::string bytes;
  std::vector<Record> records;

 private:
  std::string_view view(size_t begin, size_t size) const {
    return std::string_view(bytes).substr(begin, size);
  }
};

}  // namespace searchsync::ingest
