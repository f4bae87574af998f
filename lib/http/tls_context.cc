#include "lib/http/tls_context.h"

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "lib/base/check.h"

namespace searchsync::http {
namespace {

struct FreeOpenssl {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, FreeOpenssl>;
using Certificate = std::unique_ptr<X509, FreeOpenssl>;
using Key = std::unique_ptr<EVP_PKEY, FreeOpenssl>;

std::unexpected<Error> invalid(std::string_view what) {
  ERR_clear_error();
  return fail(ErrorCode::kInvalidArgument, std::string(what));
}

Bio reader(const std::string& pem) {
  Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CHECK(bio);
  return bio;
}

Certificate next_certificate(BIO* from) {
  return Certificate(PEM_read_bio_X509(from, nullptr, nullptr, nullptr));
}

Result<void> load(SSL_CTX* context, const std::string& certificate_pem,
                  const std::string& key_pem) {
  const Bio certificates = reader(certificate_pem);
  const Certificate own = next_certificate(certificates.get());
  if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) {
    return invalid("the TLS certificate is no PEM certificate");
  }
  while (const Certificate more = next_certificate(certificates.get())) {
    if (SSL_CTX_add1_chain_cert(context, more.get()) != 1) {
      return invalid("a certificate behind the TLS certificate cannot be used");
    }
  }
  // No password is asked for on a terminal.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const Key key(PEM_read_bio_PrivateKey(reader(key_pem).get(), nullptr, no_password, nullptr));
  if (!key) return invalid("the TLS key is no PEM key, or it is encrypted");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return invalid("the TLS key is not that of the certificate");
  }
  ERR_clear_error();
  return {};
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::create(const std::string& certificate_pem,
                                                       const std::string& key_pem) {
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  CHECK(context != nullptr);
  std::unique_ptr<TlsContext> tls(new TlsContext(context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  RETURN_IF_ERROR(load(context, certificate_pem, key_pem));
  return tls;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

}  // namespace searchsync::http
