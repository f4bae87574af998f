#include "lib/kube/test_certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <memory>

#include "lib/base/check.h"

namespace searchsync::kube {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

template <class Write>
std::string pem_of(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()), &BIO_free);
  CHECK(write(bio.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

Bio bio_of(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  CHECK(extension != nullptr, "{}", value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by itself where there is no authority.
TestPair make(const std::string& name, const std::string& alternative, const TestPair* authority) {
  static std::atomic<long> serial = 1;
  const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const Certificate made(X509_new(), &X509_free);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  const bool is_authority = authority == nullptr;
  const Certificate above(is_authority ? nullptr
                                       : PEM_read_bio_X509(bio_of(authority->certificate).get(),
                                                           nullptr, nullptr, nullptr),
                          &X509_free);
  const Key above_key(is_authority ? nullptr
                                   : PEM_read_bio_PrivateKey(bio_of(authority->key).get(), nullptr,
                                                             nullptr, nullptr),
                      &EVP_PKEY_free);
  X509* const issuer = is_authority ? made.get() : above.get();
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer));
  add_extension(made.get(), issuer, NID_basic_constraints,
                is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!alternative.empty()) add_extension(made.get(), issuer, NID_subject_alt_name, alternative);
  EVP_PKEY* const signer = is_authority ? key.get() : above_key.get();
  CHECK(X509_sign(made.get(), signer, EVP_sha256()) > 0);
  return {.certificate = pem_of([&](BIO* to) { return PEM_write_bio_X509(to, made.get()); }),
          .key = pem_of([&](BIO* to) {
            return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace

TestPair make_authority(const std::string& name) {
  return make(name, "", nullptr);
}

TestPair make_certificate(const TestPair& authority, const std::string& name,
                          const std::string& alternative) {
  return make(name, alternative, &authority);
}

}  // namespace searchsync::kube
