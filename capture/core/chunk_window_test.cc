#include "capture/core/chunk_window.h"

#include <gtest/gtest.h>

namespace searchsync::capture {
namespace {

TEST(ChunkWindow, KeepsRowsThatTheStreamLeftAlone) {
  ChunkWindow window;
  window.touch("early");
  window.touch("elsewhere");
  window.set_rows({"early", "late", "kept"});
  window.touch("late");
  window.touch("elsewhere");
  EXPECT_FALSE(window.untouched(0));
  EXPECT_FALSE(window.untouched(1));
  EXPECT_TRUE(window.untouched(2));
  EXPECT_EQ(window.key(2), "kept");
}

TEST(ChunkWindow, ATruncateTouchesAll) {
  ChunkWindow window;
  window.set_rows({"a"});
  window.touch_all();
  EXPECT_FALSE(window.untouched(0));
}

TEST(ChunkWindow, TooManyKeysBeforeTheRowsOverflow) {
  ChunkWindow window;
  for (size_t i = 0; i <= ChunkWindow::kTouchedMax; ++i) window.touch(std::to_string(i));
  EXPECT_TRUE(window.overflowed());
}

}  // namespace
}  // namespace searchsync::capture
