#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace searchsync {

// One kept-alive connection that knows just enough of HTTP. Ends the program if it fails.
class Connection {
 public:
  explicit Connection(const std::string& address);  // HOST:PORT
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The answer's status.
  int exchange(std::string_view request);

 private:
  void receive();

  const int socket_;
  std::string buffer_;
};

// Prints one JSON object: what was done, and how long each request took, in seconds.
void report(size_t done, double seconds, std::vector<double>& latencies, size_t failures);

}  // namespace searchsync
