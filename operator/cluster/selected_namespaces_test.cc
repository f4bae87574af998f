#include "operator/cluster/selected_namespaces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace searchsync::cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

void tell(SelectedNamespaces& selected, kube::Change::Kind kind, const std::string& name) {
  const kube::ObjectKey key{"", name};
  const kube::Change change{.kind = kind, .key = key};
  selected.apply(std::span(&change, 1));
}

TEST(SelectedNamespaces, AreNewsOnlyWhenListedAndOthers) {
  using Kind = kube::Change::Kind;
  SelectedNamespaces selected;
  std::stop_source stop;
  tell(selected, Kind::kPut, "a");
  tell(selected, Kind::kPut, "b");
  selected.synced();
  EXPECT_THAT(selected.next(stop.get_token()), Optional(ElementsAre("a", "b")));
  tell(selected, Kind::kPut, "a");  // another label of it
  tell(selected, Kind::kRemoved, "b");
  EXPECT_THAT(selected.next(stop.get_token()), Optional(ElementsAre("a")));
  tell(selected, Kind::kRemoved, "a");
  EXPECT_THAT(selected.next(stop.get_token()), Optional(IsEmpty()));
  stop.request_stop();
  EXPECT_FALSE(selected.next(stop.get_token())) << "nothing is news";
}

TEST(SelectedNamespaces, OfWhichThereIsNoneAreKnownOnceListed) {
  SelectedNamespaces selected;
  std::stop_source stop;
  selected.synced();
  EXPECT_THAT(selected.next(stop.get_token()), Optional(IsEmpty()));
}

}  // namespace
}  // namespace searchsync::cluster
