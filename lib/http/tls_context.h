#pragma once

#include <memory>
#include <string>

#include "lib/base/error.h"

struct ssl_ctx_st;

namespace searchsync::http {

// A server's certificate and key, TLS 1.2 or newer. Thread-safe.
class TlsContext {
 public:
  // Both PEM; behind the certificate may be those that lead from it to an authority.
  // Errors: kInvalidArgument, which of both is wrong, without any of it.
  static Result<std::unique_ptr<TlsContext>> create(const std::string& certificate_pem,
                                                    const std::string& key_pem);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* get() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* const context_;
};

}  // namespace searchsync::http
