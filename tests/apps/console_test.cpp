#include "hyperllm/apps/console.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/folder.h"

namespace hyperllm::apps {
namespace {

class ConsoleTest : public hyperllm::test::FolderTest {
 protected:
  std::string written(bool terminal, Verbosity verbosity, const std::function<void(Console&)>& use) {
    std::FILE* stream = std::fopen((folder_ / "log").c_str(), "w+");
    {
      Console console(stream, terminal, verbosity);
      use(console);
    }
    std::fclose(stream);
    return read_file(folder_ / "log");
  }
};

TEST_F(ConsoleTest, LevelsAndVerbosity) {
  const auto say = [](Console& console) {
    console.message(Level::kDebug, "d");
    console.message(Level::kInfo, "i");
    console.message(Level::kWarning, "w");
  };
  EXPECT_EQ(written(false, Verbosity::kQuiet, say), "warning: w\n");
  EXPECT_EQ(written(false, Verbosity::kNormal, say), "i\nwarning: w\n");
  EXPECT_EQ(written(false, Verbosity::kVerbose, say), "d\ni\nwarning: w\n");
}

TEST_F(ConsoleTest, TerminalDrawsOneLineWithRateEtaAndNote) {
  const std::string text = written(true, Verbosity::kNormal, [](Console& console) {
    console.progress("read", 500, 2000, 123456, 65, "12 users", false);
    console.message(Level::kInfo, "hello");
  });
  EXPECT_EQ(
      text,
      "read [######..................] 500/2,000 (25 %), 123,456/s, 1:05 left, 12 users\r\x1b[Khello\n");
}

TEST_F(ConsoleTest, ElsewhereShortTasksAreSilentAndLongOnesEndWithALine) {
  EXPECT_EQ(written(false, Verbosity::kNormal,
                    [](Console& console) {
                      console.progress("read", 1, 10, 5, 2, "", false);
                      console.progress("read", 10, 10, 5, 0, "", true);
                    }),
            "");
  EXPECT_EQ(written(false, Verbosity::kNormal,
                    [](Console& console) {
                      console.progress("read", 1, 1000, 5, 2, "", false);
                      std::this_thread::sleep_for(std::chrono::milliseconds(600));
                      console.progress("read", 400, 1000, 5, 0, "", true);
                    }),
            "read: stopped at 400/1,000 in 0:01, 5/s\n");
  EXPECT_EQ(written(false, Verbosity::kQuiet,
                    [](Console& console) { console.progress("read", 1, 0, 0, -1, "", true); }),
            "");
}

TEST_F(ConsoleTest, NumbersAndTimes) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-1234), "-1,234");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(clock_text(7), "0:07");
  EXPECT_EQ(clock_text(723), "12:03");
  EXPECT_EQ(clock_text(3723), "1:02:03");
}

}  // namespace
}  // namespace hyperllm::apps
