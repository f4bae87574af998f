#include "operator/cluster/recorder.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "lib/kube/transport.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

class Sent final : public kube::Transport {
 public:
  Result<http::ClientResponse> send(const http::ClientRequest& request) override {
    notes.push_back(nlohmann::json::parse(request.body).at("note"));
    return http::ClientResponse{.status = 201, .headers = {}, .body = "{}"};
  }

  std::vector<std::string> notes;
};

// The API server counts bytes, and takes no more than 1024.
TEST(Recorder, ALongNoteIsCutBetweenCharacters) {
  Sent sent;
  kube::Client client(sent);
  Recorder recorder(client, "operator-0");
  const Meta index{.key = {"qa", "runs"}, .uid = "u"};
  const std::string most(1'023, 'x');
  const auto record = [&](const std::string& note) {
    recorder.record(search_index_type(), index, EventType::kWarning, "Drifted", "Look", note);
    return sent.notes.back();
  };
  EXPECT_EQ(record(most + "y"), most + "y");
  EXPECT_EQ(record(most + "\xc3\xa9"), most);
  EXPECT_EQ(record(most + "yz"), most + "y");
}

}  // namespace
}  // namespace searchsync::cluster
