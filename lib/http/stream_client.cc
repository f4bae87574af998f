#include "lib/http/stream_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/base/check.h"
#include "lib/http/transfer.h"

namespace searchsync::http {
namespace {

struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

// A request under way.
struct Stream final : BodyReader {
  Stream(StreamId own, ClientRequest sent, StreamReader& to,
         std::shared_ptr<const TransferConfig> shared)
      : id(own),
        request(std::move(sent)),
        reader(to),
        config(std::move(shared)),
        transfer(*config) {}

  void on_bytes(const ClientResponse& head, std::string_view bytes) override {
    has_read = true;
    reader.on_stream_bytes(id, head, bytes);
  }

  const StreamId id;
  const ClientRequest request;
  StreamReader& reader;
  const std::shared_ptr<const TransferConfig> config;  // of all that began with it
  Transfer transfer;
  bool has_read = false;
};

}  // namespace

struct StreamClient::Impl {
  Impl() : multi(curl_multi_init()) { CHECK(multi != nullptr, "out of memory"); }
  ~Impl() {
    for (auto& [id, stream] : streams) remove(*stream);
  }

  void remove(Stream& stream) { curl_multi_remove_handle(multi.get(), stream.transfer.handle()); }
  bool perform();
  void finish(void* handle, int result);

  const std::unique_ptr<CURLM, MultiDeleter> multi;
  std::shared_ptr<const TransferConfig> config;
  uint64_t last_id = 0;
  std::unordered_map<StreamId, std::unique_ptr<Stream>> streams;
  std::unordered_map<void*, StreamId> by_handle;
};

StreamClient::StreamClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StreamClient::~StreamClient() = default;

Result<std::unique_ptr<StreamClient>> StreamClient::create(ClientOptions options) {
  ASSIGN_OR_RETURN(TransferConfig config, TransferConfig::create(std::move(options)));
  auto impl = std::make_unique<Impl>();
  impl->config = std::make_shared<const TransferConfig>(std::move(config));
  return std::unique_ptr<StreamClient>(new StreamClient(std::move(impl)));
}

Result<void> StreamClient::configure(ClientOptions options) {
  ASSIGN_OR_RETURN(TransferConfig config, TransferConfig::create(std::move(options)));
  impl_->config = std::make_shared<const TransferConfig>(std::move(config));
  return {};
}

StreamId StreamClient::start(ClientRequest request, StreamReader& reader) {
  const StreamId id(++impl_->last_id);
  auto stream = std::make_unique<Stream>(id, std::move(request), reader, impl_->config);
  stream->transfer.prepare(stream->request, 0, stream->request.timeout);
  stream->transfer.stream_to(*stream);
  void* const handle = stream->transfer.handle();
  impl_->by_handle[handle] = id;
  impl_->streams[id] = std::move(stream);
  const CURLMcode result = curl_multi_add_handle(impl_->multi.get(), handle);
  CHECK(result == CURLM_OK, "libcurl: {}", curl_multi_strerror(result));
  return id;
}

void StreamClient::cancel(StreamId id) {
  const auto found = impl_->streams.extract(id);
  if (found.empty()) return;
  Stream& stream = *found.mapped();
  impl_->remove(stream);
  impl_->by_handle.erase(stream.transfer.handle());
}

void StreamClient::Impl::finish(void* handle, int result) {
  const auto place = by_handle.extract(handle);
  CHECK(!place.empty());
  const auto node = streams.extract(place.mapped());
  CHECK(!node.empty());
  Stream& stream = *node.mapped();
  remove(stream);
  Attempt attempt = stream.transfer.finish(result);
  stream.reader.on_stream_end(stream.id, std::move(attempt.response));
}

// Lets libcurl read, write and call. True if a reader was called.
bool StreamClient::Impl::perform() {
  int running = 0;
  const CURLMcode result = curl_multi_perform(multi.get(), &running);
  CHECK(result == CURLM_OK, "libcurl: {}", curl_multi_strerror(result));
  bool called = false;
  for (auto& [id, stream] : streams) called = std::exchange(stream->has_read, false) || called;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    called = true;
    finish(message->easy_handle, message->data.result);
  }
  return called;
}

void StreamClient::poll(std::chrono::milliseconds timeout) {
  if (impl_->perform()) return;  // what was started is sent; what came may change the plans
  const auto millis = std::clamp<int64_t>(timeout.count(), 0, 3'600'000);
  const CURLMcode result =
      curl_multi_poll(impl_->multi.get(), nullptr, 0, static_cast<int>(millis), nullptr);
  CHECK(result == CURLM_OK, "libcurl: {}", curl_multi_strerror(result));
  impl_->perform();
}

void StreamClient::wake() {
  curl_multi_wakeup(impl_->multi.get());
}

}  // namespace searchsync::http
