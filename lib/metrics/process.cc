#include "lib/metrics/process.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace searchsync::metrics {
namespace {

// Seconds since 1970 at which the machine started.
std::optional<double> boot_time_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
    std::getline(file, word);
  }
  return std::nullopt;
}

double count_open_fds() {
  std::error_code error;
  const std::filesystem::directory_iterator entries("/proc/self/fd", error);
  if (error) return 0;
  // One of them is the folder that is being read.
  return static_cast<double>(std::distance(begin(entries), end(entries)) - 1);
}

}  // namespace

std::optional<ProcessUsage> read_process_usage() {
  std::ifstream file("/proc/self/stat");
  std::string stat((std::istreambuf_iterator<char>(file)), {});
  // The second field, the command in parentheses, may hold anything, so fields are counted after
  // it. In proc(5)'s numbering fields[i] is field i + 3.
  const size_t command_end = stat.rfind(')');
  if (command_end == std::string::npos) return std::nullopt;
  std::istringstream rest(stat.substr(command_end + 1));
  const std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  if (fields.size() < 22) return std::nullopt;
  const auto field = [&](size_t number) { return std::stod(fields[number - 3]); };

  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return ProcessUsage{
      .cpu_seconds = (field(14) + field(15)) / ticks,
      .resident_bytes = field(24) * static_cast<double>(sysconf(_SC_PAGESIZE)),
      .threads = field(20),
      .open_fds = count_open_fds(),
      .start_time_seconds = boot_time_seconds().value_or(0) + field(22) / ticks,
  };
}

}  // namespace searchsync::metrics
