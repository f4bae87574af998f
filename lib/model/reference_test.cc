#include "lib/model/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace searchsync::model {
namespace {

// To bring the page up to date: UPDATE_GOLDEN=1 ctest -R model_test
TEST(Reference, PageIsUpToDate) {
  constexpr const char* kPage = "docs/resources.md";
  const std::string rendered = render_reference();
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(kPage) << rendered;
  std::ifstream file(kPage);
  std::ostringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), rendered)
      << kPage
      << " is not what lib/model/*_schema.cc says; write it anew with UPDATE_GOLDEN=1 ctest "
         "-R model_test";
}

}  // namespace
}  // namespace searchsync::model
