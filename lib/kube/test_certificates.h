#pragma once

// Certificates for one test, made on the spot.

#include <string>

namespace searchsync::kube {

struct TestPair {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

// A certificate authority.
TestPair make_authority(const std::string& name);
// Signed by it. alternative: its subjectAltName, "DNS:kubernetes,IP:127.0.0.1".
TestPair make_certificate(const TestPair& authority, const std::string& name,
                          const std::string& alternative);

}  // namespace searchsync::kube
