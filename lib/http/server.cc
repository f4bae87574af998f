#include "lib/http/server.h"

#include <fmt/core.h>
#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>

#include "lib/base/check.h"
#include "lib/base/gzip.h"
#include "lib/base/log.h"
#include "lib/http/connection.h"
#include "lib/http/connection_pool.h"
#include "lib/http/router.h"
#include "lib/http/tls_context.h"

namespace searchsync::http {
namespace {

struct ListenAddress {
  std::string host;
  int port = 0;
};

Result<ListenAddress> parse_listen(std::string_view text) {
  ListenAddress address;
  const size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  const std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  address.host = host.empty() ? "0.0.0.0" : host;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() ||
      address.port < 0 || address.port > 65535) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("listen address \"{}\": write host:port, with port 0 for any", text));
  }
  return address;
}

std::optional<Method> method_of(std::string_view name) {
  if (name == "GET" || name == "HEAD") return Method::kGet;
  if (name == "POST") return Method::kPost;
  if (name == "PUT") return Method::kPut;
  if (name == "PATCH") return Method::kPatch;
  if (name == "DELETE") return Method::kDelete;
  return std::nullopt;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string_view raw_path(const httplib::Request& from) {
  return std::string_view(from.target).substr(0, from.target.find('?'));
}

Request to_request(const httplib::Request& from, Method method, std::string body) {
  Request request;
  request.method = method;
  request.path = decode_percent(raw_path(from));
  request.body = std::move(body);
  request.remote_address = from.remote_addr;
  request.query = parse_query(from.target);
  for (const auto& [name, value] : from.headers) request.headers.emplace(lower(name), value);
  return request;
}

// What `stream` throws is a bug of ours that must not end the process.
bool run(const std::function<bool(const Sink&)>& stream, httplib::DataSink& to) {
  try {
    return stream([&to](std::string_view bytes) {
      return bytes.empty() || to.write(bytes.data(), bytes.size());
    });
  } catch (const std::exception& e) {
    log::error("a response broke off: {}", e.what());
  } catch (...) {
    log::error("a response broke off");
  }
  return false;
}

void fill_in(Response from, httplib::Response& to) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  if (!from.stream) {
    to.set_content(std::move(from.body), from.content_type);
    return;
  }
  to.set_chunked_content_provider(
      from.content_type, [stream = std::move(from.stream)](size_t, httplib::DataSink& sink) {
        if (!run(stream, sink)) return false;
        sink.done();
        return true;
      });
}

// For what httplib refuses before we are asked.
Response refusal(int status) {
  switch (status) {
    case 400:
      return error_response(400, "bad_request", "this is no HTTP/1.1 request");
    case 413:
      return error_response(413, "payload_too_large", "the body is over the limit");
    case 414:
      return error_response(414, "uri_too_long", "the path and query are over 8 KiB");
    case 416:
      return error_response(416, "bad_range", "ranges are not served");
    default:
      return error_response(status, "refused", "the request was refused");
  }
}

std::string json_escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      escaped.append({'\\', c});
    } else if (static_cast<unsigned char>(c) < 0x20) {
      escaped.append(fmt::format("\\u{:04x}", static_cast<unsigned>(c)));
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

Response overloaded() {
  auto response = error_response(503, "overloaded", "too many connections: try again in a second");
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

// For a connection that nothing is read from.
std::string raw(const Response& response) {
  std::string text =
      fmt::format("HTTP/1.1 {} Overloaded\r\nConnection: close\r\n", response.status);
  for (const auto& [name, value] : response.headers) text += fmt::format("{}: {}\r\n", name, value);
  return text + fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n\r\n{}",
                            response.content_type, response.body.size(), response.body);
}

// The body as it was before the Content-Encoding it came with; or what to answer.
std::expected<std::string, Response> decompressed(std::string body, std::string_view encoding,
                                                  size_t bytes_max) {
  if (encoding.empty() || encoding == "identity") return body;
  if (encoding != "gzip" && encoding != "x-gzip") {
    return std::unexpected(error_response(
        415, "unsupported_encoding", "send the body as it is, or with Content-Encoding: gzip"));
  }
  auto whole = gunzip(body, bytes_max);
  if (whole) return std::move(*whole);
  if (whole.error().code == ErrorCode::kLimit) return std::unexpected(refusal(413));
  return std::unexpected(error_response(
      400, "bad_encoding", fmt::format("Content-Encoding is gzip: {}", whole.error().message)));
}

// Of the request under way on this thread. httplib would decompress by itself, and take a stream
// that is cut off for a whole one.
thread_local std::string content_encoding;

// Whether the connection that is to be served on this thread is one too many.
thread_local bool refusing = false;

// Set where what follows on the connection cannot be told from the rest of a broken request. For
// the request under way: each is handled on one thread from its first byte to its last.
thread_local bool must_close = false;

// Why it cannot be told where the request under way on this thread ends, or what it is about;
// empty: it can.
thread_local std::string fault;

// Whoever is between the client and us may see another end of the body: httplib takes the first of
// several lengths, and anything for a number.
// Source: RFC 9112, 6.3.
std::string fault_of(const httplib::Request& request) {
  const auto lengths = request.headers.equal_range("Content-Length");
  for (auto length = lengths.first; length != lengths.second; ++length) {
    const std::string& text = length->second;
    const bool number = !text.empty() && text.size() <= 18 &&
                        std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (!number) return "Content-Length is no number of bytes";
    if (text != lengths.first->second) return "there are two Content-Lengths";
  }
  if (request.has_header("Transfer-Encoding")) {
    if (lengths.first != lengths.second) return "there are Content-Length and Transfer-Encoding";
    if (lower(request.get_header_value("Transfer-Encoding")) != "chunked" ||
        request.get_header_value_count("Transfer-Encoding") > 1) {
      return "the only Transfer-Encoding that is understood is chunked";
    }
  }
  if (!is_percent_encoded(request.target))
    return "in the path or query, % stands before no two digits";
  return "";
}

bool has_body(const httplib::Request& request) {
  return request.has_header("Transfer-Encoding") ||
         request.get_header_value("Content-Length").find_first_not_of('0') != std::string::npos;
}

// httplib reads no body of such a request: it would be the next one.
bool leaves_a_body(const httplib::Request& request) {
  return (method_of(request.method) == Method::kGet || request.method == "OPTIONS") &&
         has_body(request);
}

void close_after(httplib::Response& to) {
  to.set_header("Connection", "close");
  must_close = true;
}

}  // namespace

Response error_response(int status, std::string_view code, std::string_view message) {
  return {.status = status,
          .content_type = "application/json",
          .body = fmt::format(R"({{"error":{{"code":"{}","message":"{}"}}}})", json_escape(code),
                              json_escape(message)),
          .headers = {}};
}

std::optional<std::string_view> Request::query_parameter(std::string_view name) const {
  const auto found = std::ranges::find(query, name, [](const auto& each) { return each.first; });
  return found == query.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

std::optional<std::string_view> Request::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

const std::string& Request::path_parameter(std::string_view name) const {
  const auto found = path_parameters.find(name);
  CHECK(found != path_parameters.end(), "the route has no {{{}}}", name);
  return found->second;
}

// httplib parses and writes messages; the connections, the waiting and the routes are ours.
struct Server::Impl final : public httplib::Server {
  explicit Impl(http::Server::Options options_in) : options(std::move(options_in)) {}

  void configure();
  void answer(const httplib::Request& from, std::string body, httplib::Response& to) const;
  void answer_with_body(const httplib::Request& from, httplib::Response& to,
                        const httplib::ContentReader& read) const;

  // Called by httplib on one of its threads for each connection. Its result is not used.
  bool process_and_close_socket(socket_t socket) override;
  void serve(std::unique_ptr<Channel> channel);

  const http::Server::Options options;

  // Constant once started.
  int listening = -1;  // httplib's socket
  Router router;
  std::unique_ptr<TlsContext> tls;
  std::string address;
  std::jthread listener;

  ConnectionPool* pool = nullptr;  // httplib's, through its TaskQueue; lives while it listens
};

// httplib's name for what serves connections.
struct TaskQueue final : public httplib::TaskQueue {
  explicit TaskQueue(const http::Server::Options& options)
      : pool(options.threads, options.waiting_max) {}

  void enqueue(std::function<void()> serve) override {
    if (pool.add(serve)) return;
    refusing = true;
    serve();
    refusing = false;
  }
  void shutdown() override { pool.stop(); }

  ConnectionPool pool;
};

void Server::Impl::configure() {
  new_task_queue = [this] {
    auto* const queue = new TaskQueue(options);  // httplib owns it
    pool = &queue->pool;
    return queue;
  };
  set_payload_max_length(options.body_bytes_max);
  set_keep_alive_max_count(1'000'000);
  set_keep_alive_timeout(options.keep_alive.count());
  // Not SO_REUSEPORT, httplib's default: two processes would share the port without a word.
  set_socket_options([this](socket_t socket) {
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    listening = socket;
  });
  // All paths arrive as "/", see process_and_close_socket.
  Get("/", [this](const auto& from, auto& to) { answer(from, {}, to); });
  const HandlerWithContentReader with_body = [this](const auto& from, auto& to, const auto& read) {
    answer_with_body(from, to, read);
  };
  Post("/", with_body);
  Put("/", with_body);
  Patch("/", with_body);
  Delete("/", with_body);
  Options("/", [this](const auto& from, auto& to) { fill_in(router.refuse(raw_path(from)), to); });
  set_error_handler(HandlerWithResponse([](const httplib::Request&, httplib::Response& to) {
    if (to.body.empty()) {
      if (to.status != 413) close_after(to);  // 413: httplib has read past the body
      fill_in(refusal(to.status), to);
    }
    return HandlerResponse::Handled;
  }));
}

void Server::Impl::answer(const httplib::Request& from, std::string body,
                          httplib::Response& to) const {
  to.set_header("Accept-Ranges", "none");
  if (must_close) close_after(to);
  if (!fault.empty()) return fill_in(error_response(400, "bad_request", fault), to);
  const auto method = method_of(from.method);
  CHECK(method, "{}", from.method);
  auto request = to_request(from, *method, std::move(body));
  fill_in(router.dispatch(request, raw_path(from)), to);
}

// httplib's own limit does not hold for chunked or compressed bodies.
void Server::Impl::answer_with_body(const httplib::Request& from, httplib::Response& to,
                                    const httplib::ContentReader& read) const {
  if (!fault.empty()) return answer(from, {}, to);
  std::string body;
  bool too_large = false;
  const bool whole = read([&](const char* bytes, size_t size) {
    too_large = body.size() + size > options.body_bytes_max;
    if (!too_large) body.append(bytes, size);
    return !too_large;
  });
  if (whole) {
    auto plain = decompressed(std::move(body), content_encoding, options.body_bytes_max);
    if (!plain) return fill_in(std::move(plain.error()), to);
    return answer(from, std::move(*plain), to);
  }
  // A length that was declared and is too large is read past by httplib; all else is left half-way.
  const bool skipped = to.status == 413 && !too_large;
  if (!skipped) close_after(to);
  fill_in(refusal(skipped || too_large ? 413 : 400), to);
}

bool Server::Impl::process_and_close_socket(socket_t socket) {
  if (refusing) {
    auto channel = plain_channel(socket);
    // On the thread that accepts: nobody is waited for, and so no hands are shaken.
    if (!tls) channel->write(raw(overloaded()), Deadline::clock::now());
    return true;
  }
  auto channel = tls ? tls_channel(socket, *tls, Deadline::clock::now() + options.read_timeout)
                     : plain_channel(socket);
  if (channel) serve(std::move(channel));
  return true;
}

void Server::Impl::serve(std::unique_ptr<Channel> channel) {
  const int socket = channel->socket();
  Connection connection(std::move(channel), {.read = options.read_timeout,
                                             .request = options.request_timeout,
                                             .write = options.write_timeout});
  while (pool->begin_idle(socket)) {
    const bool more = connection.wait(options.keep_alive);
    pool->end_idle(socket);
    if (!more) break;
    bool closed = false;
    must_close = false;
    const bool answered =
        process_request(connection.stream(), false, closed, [](httplib::Request& request) {
          // httplib matches paths by std::regex, which recurses for each character; ours is matched
          // by the router, from the target. Its parser for forms is not used either.
          request.path = "/";
          fault = fault_of(request);
          must_close = !fault.empty() || leaves_a_body(request);
          // Nobody is answered in parts; httplib would cut the body.
          request.ranges.clear();
          if (request.is_multipart_form_data()) request.headers.erase("Content-Type");
          // Neither means no body, as RFC 9112 has it; httplib would read to the connection's end.
          if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding")) {
            request.headers.emplace("Content-Length", "0");
          }
          content_encoding = lower(request.get_header_value("Content-Encoding"));
          request.headers.erase("Content-Encoding");
        });
    if (!connection.flush() || !answered || closed || must_close) break;
  }
}

Server::Server(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Server::~Server() {
  stop();
}

void Server::route(Method method, std::string_view pattern, Handler handler) {
  CHECK(!impl_->listener.joinable(), "routes are added before start()");
  impl_->router.add(method, pattern, std::move(handler));
}

Result<void> Server::start() {
  CHECK(impl_->address.empty(), "started twice");
  ASSIGN_OR_RETURN(const auto to, parse_listen(impl_->options.listen));
  if (const auto& tls = impl_->options.tls) {
    ASSIGN_OR_RETURN(impl_->tls, TlsContext::create(tls->certificate, tls->key));
  }
  impl_->configure();
  errno = 0;
  const int port = to.port == 0 ? impl_->bind_to_any_port(to.host)
                                : (impl_->bind_to_port(to.host, to.port) ? to.port : -1);
  if (port < 0) {
    const int cause = errno;
    const ErrorCode code = cause == EADDRINUSE ? ErrorCode::kConflict
                           : cause == EACCES   ? ErrorCode::kPermission
                                               : ErrorCode::kUnavailable;
    return fail(
        code, fmt::format("cannot listen on {}: {}; choose another address", impl_->options.listen,
                          cause == 0 ? "no such address" : std::strerror(cause)));
  }
  // httplib lets 5 wait to be accepted; past that Linux drops connections, and resets some.
  CHECK(::listen(impl_->listening, SOMAXCONN) == 0, "{}", std::strerror(errno));
  const bool is_v6 = to.host.find(':') != std::string::npos;
  impl_->address = fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), to.host, port);
  impl_->listener = std::jthread([impl = impl_.get()] { impl->listen_after_bind(); });
  // stop() has an effect only on a server that runs.
  while (!impl_->is_running()) std::this_thread::yield();
  return {};
}

std::string Server::address() const {
  return impl_->address;
}

void Server::stop() {
  if (!impl_->listener.joinable()) return;
  impl_->httplib::Server::stop();
  impl_->listener.join();
}

}  // namespace searchsync::http
