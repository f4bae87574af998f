#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/backoff.h"
#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "lib/kube/reflector_sink.h"
#include "lib/kube/resource.h"
#include "lib/kube/watch_text.h"

namespace searchsync::kube {

struct ReflectorOptions {
  ResourceType type;
  std::string namespace_;  // empty: all
  std::string label_selector;
  std::string field_selector;
  Content content = Content::kFull;

  int page_limit = 500;
  size_t page_bytes_max = size_t{64} << 20;
  // Of pages with new or changed objects, until the list is whole.
  size_t list_bytes_max = size_t{512} << 20;
  size_t line_bytes_max = size_t{3} << 20;  // of a watch; etcd keeps no object over 1.5 MiB
  // A watch is over after a random time between these two.
  std::chrono::seconds watch_min{300};
  std::chrono::seconds watch_max{600};
  // A watch without a byte for so long is dead: bookmarks are due every minute.
  std::chrono::seconds silence_max{150};
  std::chrono::seconds list_timeout{60};  // of a page
  Backoff::Options backoff{.first = std::chrono::milliseconds(500),
                           .longest = std::chrono::milliseconds(30'000)};
};

// Why a request did not simply go on.
enum class Interruption {
  kClosed,      // a watch ended as it should
  kBroken,      // the connection was lost, or never made
  kSilent,      // nothing came for too long
  kExpired,     // 410: the version or continue token is too old
  kErrorEvent,  // a watch ended with an event that says why
  kMalformed,   // what came cannot be read
  kTooLong,     // what came is over a limit
  kRefused,     // any other status than 200
};
inline constexpr size_t kInterruptions = 8;
std::string_view to_string(Interruption interruption);  // "closed": for a label

struct ReflectorCounters {
  uint64_t lists = 0;  // that were begun
  uint64_t watches = 0;
  uint64_t events = 0;  // that changed something
  uint64_t bookmarks = 0;
  uint64_t torn = 0;  // ends of watches within a line
  std::array<uint64_t, kInterruptions> interruptions{};
};

// Follows one collection by list and watch: what to request, what the answers change, and what to
// do when they fail. Pure: time is an argument and randomness a seed. Not thread-safe.
//
// Rules, each with its reason:
// - Lists ask for the newest state (no resourceVersion). "0" would be answered from a cache that
// may
//   be behind what was seen before: objects would go back in time.
// - A list takes effect when its last page is there, all at once: pages show one state only
//   together.
// - A watch goes on after the last version whose event or bookmark was read whole.
// - Whenever it is not sure that nothing is missing, it lists again; the state it has stays valid
//   meanwhile.
// - Nothing is tried again at once, except the watch that ended as it should after a while.
//
// Keeps of each object its key, uid and resourceVersion only.
class ReflectorCore {
 public:
  using Time = std::chrono::steady_clock::time_point;

  ReflectorCore(ReflectorOptions options, uint64_t seed);

  // GET `path`; there is no other request then. timeout: of the whole response.
  struct Send {
    std::string path;
    std::string accept;
    std::chrono::milliseconds timeout;
  };
  // Give up the request under way; nothing of it is to be handed in any more.
  struct Cancel {};
  // Until something comes, at most until then.
  struct Wait {
    Time until;
  };
  using Todo = std::variant<Send, Cancel, Wait>;

  // What to do now. To be done, and asked again until it is Wait.
  Todo next(Time now);

  // A part of the response's body; the first may be empty, when only the status has come. Sinks are
  // called from here and from on_end().
  void on_bytes(int status, std::string_view bytes, Time now, ReflectorSink& sink);

  struct ResponseEnd {
    int status = 0;
    std::string retry_after;  // the header, or ""
  };
  // The request is over: its whole response has been handed in, or it failed.
  void on_end(const Result<ResponseEnd>& end, Time now, ReflectorSink& sink);

  const ReflectorOptions& options() const { return options_; }
  bool synced() const { return synced_; }
  size_t objects() const { return objects_.size(); }
  const std::string& problem() const { return problem_; }  // empty: none
  Time last_receive() const { return last_receive_; }
  const ReflectorCounters& counters() const { return counters_; }

 private:
  struct Known {
    std::string uid;
    std::string resource_version;
    friend bool operator==(const Known&, const Known&) = default;
  };
  using Objects = std::map<ObjectKey, Known>;

  // A list that is not whole yet.
  struct Listing {
    std::string continue_token;  // empty: nothing is there yet
    std::string version;
    Objects objects;
    std::vector<std::string> pages;  // those in which something is new or changed
    std::vector<std::pair<const ObjectKey*, std::string_view>> changed;  // with their text
    size_t bytes = 0;                                                    // of the pages
  };

  enum class Phase { kList, kWatch };  // of the request under way, or else the next
  enum class Recovery { kRelist, kGoOn };

  Send make_list();
  Send make_watch();
  void read_lines(std::string_view bytes, Time now, ReflectorSink& sink);
  bool read_line(std::string_view line, Time now, ReflectorSink& sink);  // false: no more
  bool apply_event(const WatchEvent& event, ReflectorSink& sink);
  void end_list(Time now, ReflectorSink& sink);
  bool add_page(PageText page);  // false: an object twice, or another version
  void apply_list(ReflectorSink& sink);
  void end_watch(Time now);
  void refused(int status, std::string_view retry_after, Time now);
  bool goes_back(std::string_view version) const;

  // Plans what follows the request, which is over or is given up.
  void interrupt(Interruption why, Recovery recovery, Time now, std::string problem,
                 std::optional<std::chrono::seconds> retry_after = std::nullopt);

  const ReflectorOptions options_;
  WatchText text_;
  std::mt19937_64 random_;
  Backoff backoff_;  // of requests that did not end well
  Backoff away_;     // of requests that were not answered by 200

  Phase phase_ = Phase::kList;
  bool busy_ = false;      // a request is under way
  bool ignoring_ = false;  // and to be cancelled
  Time not_before_{};      // the next request
  Time sent_{};
  Time healthy_{};      // from then on the watch under way is no failure
  Time heard_{};        // of the request under way: its last byte, or when it was sent
  std::string buffer_;  // of a list or an error: all; of a watch: a line that is not whole

  Listing listing_;
  int page_limit_;         // 0: all at once
  int expired_pages_ = 0;  // since the last whole list

  std::string version_;      // the watch goes on after it
  bool answered_ = false;    // the request under way, by 200
  bool progressed_ = false;  // the watch under way has moved it
  int refusals_ = 0;         // of watches, since the last progress

  Objects objects_;
  bool synced_ = false;
  std::string problem_;
  Time last_receive_{};
  ReflectorCounters counters_;
};

}  // namespace searchsync::kube
