#include "lib/http/transfer.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "lib/base/check.h"

namespace searchsync::http {
namespace {

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// libcurl's own set-up is not safe to run from two threads at once.
void initialise_curl() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(result == CURLE_OK, "libcurl: {}", curl_easy_strerror(result));
}

template <class T>
void set(CURL* easy, CURLoption option, T value) {
  const CURLcode result = curl_easy_setopt(easy, option, value);
  CHECK(result == CURLE_OK, "libcurl option {}: {}", static_cast<int>(option),
        curl_easy_strerror(result));
}

bool has_line_break(std::string_view text) {
  return text.find_first_of("\r\n") != std::string_view::npos ||
         text.find('\0') != std::string_view::npos;
}

Result<void> check_origin(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER) != CURLUE_OK) {
    // The URL itself is not repeated: it may hold a password, which is one reason to come here.
    return fail(ErrorCode::kInvalidArgument,
                "a URL is not of the form http://host:port (user names and passwords belong into "
                "the credentials, not into the URL)");
  }
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("URL {}: must start with http:// or https://", url));
  }
  if (url.find_first_of("?#") != std::string::npos || has_line_break(url)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("URL {}: a query string or fragment is not possible here", url));
  }
  return {};
}

// origin: of check_origin().
TransferConfig::Detour make_detour(const std::string& origin, const std::string& name) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    CHECK(curl_url_get(parsed.get(), which, &text, CURLU_DEFAULT_PORT) == CURLUE_OK);
    std::string copy(text);
    curl_free(text);
    return copy;
  };
  CHECK(curl_url_set(parsed.get(), CURLUPART_URL, origin.c_str(), 0) == CURLUE_OK);
  const std::string host = part(CURLUPART_HOST);
  const std::string port = part(CURLUPART_PORT);
  const std::string path = part(CURLUPART_PATH);
  return {.origin = fmt::format("{}://{}:{}{}", part(CURLUPART_SCHEME), name, port,
                                path == "/" ? "" : path),
          .connect_to = fmt::format("::{}:{}", host, port),
          .authority = fmt::format("{}:{}", host, port)};
}

bool is_host_name(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  });
}

std::string path_of(const ClientRequest& request) {
  return request.path.substr(0, request.path.find('?'));
}

}  // namespace

Result<TransferConfig> TransferConfig::create(ClientOptions options) {
  initialise_curl();
  TransferConfig config;
  if (options.base_urls.empty()) return fail(ErrorCode::kInvalidArgument, "no URL is given");
  for (const std::string& url : options.base_urls) {
    RETURN_IF_ERROR(check_origin(url));
    std::string origin = url;
    while (origin.ends_with('/')) origin.pop_back();
    config.origins.push_back(std::move(origin));
  }
  const auto* key = std::get_if<ApiKeyAuth>(&options.auth);
  const auto* token = std::get_if<BearerAuth>(&options.auth);
  if ((key && has_line_break(key->key)) || (token && has_line_break(token->token))) {
    return fail(ErrorCode::kInvalidArgument, "the API key or token contains a line break");
  }
  if (options.certificate_pem.empty() != options.key_pem.empty()) {
    return fail(ErrorCode::kInvalidArgument, "a client certificate and its key belong together");
  }
  if (!is_host_name(options.tls_server_name)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the TLS server name {} is not a host's", options.tls_server_name));
  }
  if (!options.tls_server_name.empty()) {
    for (const std::string& origin : config.origins) {
      config.detours.push_back(make_detour(origin, options.tls_server_name));
    }
  }
  if (options.in_flight_max == 0) {
    return fail(ErrorCode::kInvalidArgument, "in_flight_max must be at least 1");
  }
  config.options = std::move(options);
  return config;
}

struct Transfer::Impl {
  explicit Impl(const TransferConfig& shared) : config(shared) {}

  const TransferConfig& config;
  const std::unique_ptr<CURL, EasyDeleter> easy{curl_easy_init()};
  std::unique_ptr<curl_slist, ListDeleter> headers;
  std::unique_ptr<curl_slist, ListDeleter> connect_to;
  std::array<char, CURL_ERROR_SIZE> error_text{};
  std::string what;  // "POST http://host:port/path", for messages
  ClientResponse response;
  size_t received = 0;
  bool too_long = false;
  BodyReader* reader = nullptr;

  void add_header(const std::string& line) {
    curl_slist* list = curl_slist_append(headers.get(), line.c_str());
    CHECK(list != nullptr, "out of memory");
    static_cast<void>(headers.release());
    headers.reset(list);
  }

  bool take(size_t bytes) {
    received += bytes;
    too_long = received > config.options.response_bytes_max;
    return !too_long;
  }

  static size_t on_body(char* data, size_t, size_t bytes, void* self_pointer) {
    auto* self = static_cast<Impl*>(self_pointer);
    if (self->reader != nullptr) {
      self->read_status();
      self->reader->on_bytes(self->response, {data, bytes});
      return bytes;
    }
    if (!self->take(bytes)) return 0;
    self->response.body.append(data, bytes);
    return bytes;
  }

  // line: of the head, but no header.
  void end_headers(std::string_view line) {
    if (reader == nullptr || (line != "\r\n" && line != "\n")) return;
    read_status();
    if (response.status >= 200) reader->on_bytes(response, {});
  }

  void read_status() {
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
  }

  // The kernel gives up a connection whose peer has not acknowledged anything for so long.
  static int on_socket(void*, curl_socket_t socket, curlsocktype) {
    const unsigned int unacknowledged_ms = 30'000;
    ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
                 sizeof unacknowledged_ms);
    return CURL_SOCKOPT_OK;
  }

  static size_t on_header(char* data, size_t, size_t bytes, void* self_pointer) {
    auto* self = static_cast<Impl*>(self_pointer);
    if (!self->take(bytes)) return 0;
    std::string_view line(data, bytes);
    if (line.starts_with("HTTP/"))
      self->response.headers.clear();  // an interim response came first
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      self->end_headers(line);
      return bytes;
    }
    ClientHeader header{std::string(line.substr(0, colon)), {}};
    for (char& c : header.name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    line.remove_prefix(colon + 1);
    const size_t first = line.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos) {
      header.value = line.substr(first, line.find_last_not_of(" \t\r\n") - first + 1);
    }
    self->response.headers.push_back(std::move(header));
    return bytes;
  }

  void set_connection();
  void set_certificates();
  void set_url(const std::string& path, size_t endpoint);
  void set_auth();
  void set_request(const ClientRequest& request);
  Error describe(CURLcode code, bool sent) const;
};

Transfer::Transfer(const TransferConfig& config) : impl_(std::make_unique<Impl>(config)) {
  CHECK(impl_->easy != nullptr, "out of memory");
}
Transfer::~Transfer() = default;

void* Transfer::handle() const {
  return impl_->easy.get();
}

void Transfer::Impl::set_connection() {
  const ClientOptions& options = config.options;
  CURL* const handle = easy.get();
  set(handle, CURLOPT_ERRORBUFFER, error_text.data());
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle, CURLOPT_NOPROXY, "*");  // a proxy for browsers must not see database traffic
  set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(handle, CURLOPT_TCP_NODELAY, 1L);
  set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  set(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  set(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  set(handle, CURLOPT_WRITEFUNCTION, &on_body);
  set(handle, CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(handle, CURLOPT_HEADERFUNCTION, &on_header);
  set(handle, CURLOPT_HEADERDATA, static_cast<void*>(this));
  set_certificates();
}

void Transfer::Impl::set_certificates() {
  const ClientOptions& options = config.options;
  const auto set_blob = [this](CURLoption option, const std::string& pem) {
    if (pem.empty()) return;
    // libcurl only reads the blob; its C interface has no const.
    curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
    set(easy.get(), option, &blob);
  };
  set_blob(CURLOPT_CAINFO_BLOB, options.ca_pem);
  set_blob(CURLOPT_SSLCERT_BLOB, options.certificate_pem);
  set_blob(CURLOPT_SSLKEY_BLOB, options.key_pem);
}

void Transfer::Impl::set_url(const std::string& path, size_t endpoint) {
  if (config.detours.empty()) {
    set(easy.get(), CURLOPT_URL, (config.origins[endpoint] + path).c_str());
    return;
  }
  const TransferConfig::Detour& detour = config.detours[endpoint];
  set(easy.get(), CURLOPT_URL, (detour.origin + path).c_str());
  connect_to.reset(curl_slist_append(nullptr, detour.connect_to.c_str()));
  CHECK(connect_to, "out of memory");
  set(easy.get(), CURLOPT_CONNECT_TO, connect_to.get());
  add_header("Host: " + detour.authority);
}

void Transfer::Impl::set_auth() {
  const ClientAuth& auth = config.options.auth;
  if (const auto* basic = std::get_if<BasicAuth>(&auth)) {
    set(easy.get(), CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(easy.get(), CURLOPT_USERNAME, basic->username.c_str());
    set(easy.get(), CURLOPT_PASSWORD, basic->password.c_str());
  } else if (const auto* key = std::get_if<ApiKeyAuth>(&auth)) {
    add_header("Authorization: ApiKey " + key->key);
  } else if (const auto* bearer = std::get_if<BearerAuth>(&auth)) {
    add_header("Authorization: Bearer " + bearer->token);
  }
}

void Transfer::Impl::set_request(const ClientRequest& request) {
  CURL* const handle = easy.get();
  add_header("Expect:");  // without this a large body waits for the server's leave, up to a second
  bool typed = false;
  for (const ClientHeader& header : request.headers) {
    CHECK(!has_line_break(header.name) && !has_line_break(header.value));
    add_header(header.name + ": " + header.value);
    typed = typed || header.name == "Content-Type";
  }
  const bool with_body =
      !request.body.empty() || request.method == "POST" || request.method == "PUT";
  if (request.method == "HEAD") {
    set(handle, CURLOPT_NOBODY, 1L);
  } else if (with_body) {
    if (!typed) add_header("Content-Type:");  // not libcurl's x-www-form-urlencoded
    set(handle, CURLOPT_POST, 1L);
    set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(handle, CURLOPT_POSTFIELDS, request.body.data());
    set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else {
    set(handle, CURLOPT_HTTPGET, 1L);
    set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  set(handle, CURLOPT_HTTPHEADER, headers.get());
}

void Transfer::prepare(const ClientRequest& request, size_t endpoint,
                       std::chrono::milliseconds timeout) {
  CHECK(request.path.starts_with('/') && !has_line_break(request.path));
  Impl& self = *impl_;
  CURL* const handle = self.easy.get();
  curl_easy_reset(handle);
  self.headers.reset();
  self.error_text.fill('\0');
  self.response = {};
  self.received = 0;
  self.too_long = false;
  self.reader = nullptr;
  const std::string& origin = self.config.origins[endpoint];
  self.what = fmt::format("{} {}{}", request.method, origin, path_of(request));
  self.set_connection();
  self.set_auth();
  self.set_url(request.path, endpoint);
  self.set_request(request);
  // 0 would mean no timeout at all.
  const auto whole = std::max(timeout, std::chrono::milliseconds(1));
  set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(whole.count()));
}

void Transfer::stream_to(BodyReader& reader) {
  CURL* const handle = impl_->easy.get();
  impl_->reader = &reader;
  set(handle, CURLOPT_TCP_KEEPIDLE, 15L);
  set(handle, CURLOPT_TCP_KEEPINTVL, 5L);
  set(handle, CURLOPT_SOCKOPTFUNCTION, &Impl::on_socket);
}

Error Transfer::Impl::describe(CURLcode code, bool sent) const {
  const std::string detail = error_text[0] != '\0' ? error_text.data() : curl_easy_strerror(code);
  const auto error = [&](ErrorCode ours, std::string_view text) {
    return Error{ours, fmt::format("{}: {}", what, text)};
  };
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return error(ErrorCode::kTimeout,
                   sent ? "no complete response in time" : "could not connect in time");
    case CURLE_PEER_FAILED_VERIFICATION:
      return error(ErrorCode::kPermission,
                   detail +
                       "; the server's certificate must be signed by the configured CA and "
                       "be valid for this host name");
    case CURLE_SSL_CACERT_BADFILE:
      return error(ErrorCode::kInvalidArgument,
                   "the configured CA certificates cannot be read; they must be PEM");
    case CURLE_SSL_CERTPROBLEM:
      return error(ErrorCode::kInvalidArgument,
                   "the client certificate and its key cannot be used; they must be PEM and belong "
                   "together");
    case CURLE_WRITE_ERROR:
      if (too_long) {
        return error(ErrorCode::kLimit, fmt::format("the response is longer than {} bytes",
                                                    config.options.response_bytes_max));
      }
      return error(ErrorCode::kUnavailable, detail);
    case CURLE_URL_MALFORMAT:
      return error(ErrorCode::kInvalidArgument, detail);
    default:
      return error(ErrorCode::kUnavailable, detail);
  }
}

Attempt Transfer::finish(int result) {
  Impl& self = *impl_;
  const auto code = static_cast<CURLcode>(result);
  if (code == CURLE_OK) {
    self.read_status();
    return {std::move(self.response), true};
  }
  long request_bytes = 0;  // sent, of the request's head
  curl_easy_getinfo(self.easy.get(), CURLINFO_REQUEST_SIZE, &request_bytes);
  const bool sent = request_bytes > 0;
  return {std::unexpected(self.describe(code, sent)), sent};
}

std::string_view ClientResponse::header(std::string_view name) const {
  for (const ClientHeader& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded.push_back(c);
    } else {
      encoded.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return encoded;
}

}  // namespace searchsync::http
