#include "worker/run/dead_letters.h"

namespace searchsync::worker {

std::vector<kafka::Header> dead_letter_headers(const DeadLetter& letter,
                                               std::vector<std::string>& numbers) {
  numbers = {std::to_string(letter.partition.get()), std::to_string(letter.offset.get())};
  return {{"searchsync-stage", letter.stage}, {"searchsync-binding", letter.binding},
          {"searchsync-topic", letter.topic}, {"searchsync-partition", numbers[0]},
          {"searchsync-offset", numbers[1]},  {"searchsync-reason", letter.reason}};
}

}  // namespace searchsync::worker
