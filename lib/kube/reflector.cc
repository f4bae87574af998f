#include "lib/kube/reflector.h"

#include <fmt/format.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "lib/base/overloaded.h"
#include "lib/http/stream_client.h"
#include "lib/kube/credentials.h"
#include "lib/kube/link.h"
#include "lib/kube/reflector_metrics.h"

namespace searchsync::kube {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kIdle{60};

// One collection that is followed.
struct Following {
  Following(ReflectorId own, ReflectorOptions options, ReflectorSink& to)
      : id(own), core(std::move(options), std::random_device()()), sink(to) {}

  const ReflectorId id;
  ReflectorCore core;
  ReflectorSink& sink;
  std::optional<http::StreamId> stream;  // the request under way
  uint64_t revision = 0;                 // of the credentials it was sent with
  ReflectorMetrics::Told told;
  std::string problem;  // that was logged
  bool touched = true;  // its status may be another
};

// Whether it goes on is worth a line; with each try the reason may be another.
void log_problem(Following& following) {
  const ReflectorOptions& options = following.core.options();
  const std::string& now = following.core.problem();
  const std::string before = std::exchange(following.problem, now);
  const auto what = options.namespace_.empty()
                        ? options.type.name()
                        : fmt::format("{} in {}", options.type.name(), options.namespace_);
  if (now.empty()) {
    log::info("watch of {}: goes on", what);
  } else if (before.empty()) {
    log::info("watch of {}: {}", what, now);
  } else {
    log::debug("watch of {}: {}", what, now);
  }
}

// What status() is told.
struct Published {
  ReflectorStatus status;
  Clock::time_point heard;
};

}  // namespace

struct Reflectors::Impl final : http::StreamReader {
  Impl(Credentials& from, metrics::Registry& to, std::unique_ptr<http::StreamClient> client,
       uint64_t revision)
      : credentials(from),
        registry(to),
        host(host_of(from.config().server)),
        streams(std::move(client)),
        tls_revision(revision),
        numbers(to) {}

  // Constant after construction.
  Credentials& credentials;
  metrics::Registry& registry;
  const std::string host;
  const std::unique_ptr<http::StreamClient> streams;  // but for wake(): of the thread alone

  mutable std::mutex mutex;
  std::condition_variable stopped;
  // Guarded by mutex.
  uint64_t last_id = 0;
  std::vector<std::unique_ptr<Following>> to_start;
  std::set<ReflectorId> to_stop;
  std::map<ReflectorId, Published> published;  // of all that were started and not stopped

  // Of the thread alone.
  uint64_t tls_revision;
  ReflectorMetrics numbers;
  std::map<ReflectorId, std::unique_ptr<Following>> followings;
  std::map<http::StreamId, Following*> by_stream;

  std::jthread thread;  // last: stops before the rest goes

  void run(const std::stop_token& stop);
  void take_orders();
  void end(ReflectorId id);
  Clock::time_point drive(Following& following);
  void send(Following& following, ReflectorCore::Send send);
  Result<void> begin(Following& following, ReflectorCore::Send send);
  void publish();

  void on_stream_bytes(http::StreamId id, const http::ClientResponse& head,
                       std::string_view bytes) override;
  void on_stream_end(http::StreamId id, Result<http::ClientResponse> head) override;
};

Reflectors::Reflectors(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->thread = std::jthread([this](const std::stop_token& stop) { impl_->run(stop); });
}

Reflectors::~Reflectors() {
  impl_->thread.request_stop();
  impl_->streams->wake();
  impl_->thread.join();
}

Result<std::unique_ptr<Reflectors>> Reflectors::create(Credentials& credentials,
                                                       metrics::Registry& registry) {
  ASSIGN_OR_RETURN(const auto current, credentials.current());
  ASSIGN_OR_RETURN(auto streams,
                   http::StreamClient::create(link_options(credentials.config(), *current)));
  return std::unique_ptr<Reflectors>(new Reflectors(
      std::make_unique<Impl>(credentials, registry, std::move(streams), current->tls_revision)));
}

ReflectorId Reflectors::start(ReflectorOptions options, ReflectorSink& sink) {
  ReflectorId id;
  {
    const std::lock_guard lock(impl_->mutex);
    id = ReflectorId(++impl_->last_id);
    impl_->to_start.push_back(std::make_unique<Following>(id, std::move(options), sink));
    impl_->published[id].heard = Clock::now();
  }
  impl_->streams->wake();
  return id;
}

void Reflectors::stop(ReflectorId id) {
  CHECK(std::this_thread::get_id() != impl_->thread.get_id(), "not from a sink");
  std::unique_lock lock(impl_->mutex);
  if (!impl_->published.contains(id)) return;
  impl_->to_stop.insert(id);
  impl_->streams->wake();
  impl_->stopped.wait(lock, [&] { return !impl_->published.contains(id); });
}

ReflectorStatus Reflectors::status(ReflectorId id) const {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->published.find(id);
  if (found == impl_->published.end()) return {};
  ReflectorStatus status = found->second.status;
  status.silent = std::chrono::duration_cast<milliseconds>(Clock::now() - found->second.heard);
  return status;
}

void Reflectors::Impl::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    take_orders();
    auto until = Clock::now() + kIdle;
    for (auto& [id, following] : followings) until = std::min(until, drive(*following));
    publish();
    const auto wait = std::max(Clock::duration(0), until - Clock::now());
    streams->poll(std::chrono::ceil<milliseconds>(wait));
  }
  while (!followings.empty()) end(followings.begin()->first);
}

void Reflectors::Impl::take_orders() {
  std::vector<std::unique_ptr<Following>> started;
  std::set<ReflectorId> ended;
  {
    const std::lock_guard lock(mutex);
    started.swap(to_start);
    ended.swap(to_stop);
  }
  for (auto& following : started) {
    numbers.begin(following->core.options());
    const ReflectorId id = following->id;
    followings[id] = std::move(following);
  }
  for (const ReflectorId id : ended) end(id);
  if (ended.empty()) return;
  {
    const std::lock_guard lock(mutex);
    for (const ReflectorId id : ended) published.erase(id);
  }
  stopped.notify_all();
}

void Reflectors::Impl::end(ReflectorId id) {
  const auto node = followings.extract(id);
  if (node.empty()) return;
  Following& following = *node.mapped();
  numbers.end(following.core.options(), following.told);
  if (!following.stream) return;
  streams->cancel(*following.stream);
  by_stream.erase(*following.stream);
}

// Does what the core asks for. Returns when it wants to be asked again, if nothing comes before.
Clock::time_point Reflectors::Impl::drive(Following& following) {
  std::optional<Clock::time_point> until;
  while (!until) {
    auto todo = following.core.next(Clock::now());
    std::visit(Overloaded{[&](ReflectorCore::Send& what) { send(following, std::move(what)); },
                          [&](ReflectorCore::Cancel&) {
                            following.touched = true;
                            count_request(registry, host, "GET", 0);
                            streams->cancel(*following.stream);
                            by_stream.erase(*following.stream);
                            following.stream.reset();
                          },
                          [&](ReflectorCore::Wait& wait) { until = wait.until; }},
               todo);
  }
  return *until;
}

void Reflectors::Impl::send(Following& following, ReflectorCore::Send send) {
  const auto begun = begin(following, std::move(send));
  if (begun) return;
  following.touched = true;
  following.core.on_end(std::unexpected(begun.error()), Clock::now(), following.sink);
}

Result<void> Reflectors::Impl::begin(Following& following, ReflectorCore::Send send) {
  ASSIGN_OR_RETURN(const auto current, credentials.current());
  if (current->tls_revision != tls_revision) {
    RETURN_IF_ERROR(streams->configure(link_options(credentials.config(), *current)));
    tls_revision = current->tls_revision;
  }
  http::ClientRequest request{
      .path = std::move(send.path),
      .headers = {{"Accept", std::move(send.accept)}, {"User-Agent", "searchsync"}},
      .body = {},
      .timeout = send.timeout};
  authorize(request, credentials.config(), *current);
  following.revision = current->revision;
  following.stream = streams->start(std::move(request), *this);
  by_stream[*following.stream] = &following;
  return {};
}

void Reflectors::Impl::on_stream_bytes(http::StreamId id, const http::ClientResponse& head,
                                       std::string_view bytes) {
  Following& following = *by_stream.at(id);
  following.touched = true;
  following.core.on_bytes(head.status, bytes, Clock::now(), following.sink);
}

void Reflectors::Impl::on_stream_end(http::StreamId id, Result<http::ClientResponse> head) {
  Following& following = *by_stream.extract(id).mapped();
  following.touched = true;
  following.stream.reset();
  count_request(registry, host, "GET", head ? head->status : 0);
  if (!head) {
    following.core.on_end(std::unexpected(head.error()), Clock::now(), following.sink);
    return;
  }
  if (head->status == 401) credentials.rejected(following.revision);
  following.core.on_end(
      ReflectorCore::ResponseEnd{.status = head->status,
                                 .retry_after = std::string(head->header("retry-after"))},
      Clock::now(), following.sink);
}

void Reflectors::Impl::publish() {
  std::vector<Following*> touched;
  for (auto& [id, following] : followings) {
    if (std::exchange(following->touched, false)) touched.push_back(following.get());
  }
  if (touched.empty()) return;
  for (Following* following : touched) {
    const ReflectorCore& core = following->core;
    numbers.tell(core, following->told);
    if (core.problem() != following->problem) log_problem(*following);
  }
  const std::lock_guard lock(mutex);
  for (const Following* following : touched) {
    const auto found = published.find(following->id);
    if (found == published.end()) continue;
    found->second.status = {.synced = following->core.synced(),
                            .objects = following->core.objects(),
                            .silent = milliseconds(0),
                            .problem = following->core.problem()};
    found->second.heard = std::max(found->second.heard, following->core.last_receive());
  }
}

}  // namespace searchsync::kube
