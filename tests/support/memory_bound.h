// What a call needs of memory and stack, found out in a child process that may have no more.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>

#include "hyperllm/base/error.h"

namespace hyperllm::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;  // shadow memory: a limit on addresses would end the process at once
#else
inline constexpr bool kSanitized = false;
#endif

// From here on this process may take `bytes` more of address space.
inline void limit_memory(std::int64_t bytes) {
  if (kSanitized) return;
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const auto most = static_cast<rlim_t>(pages * ::sysconf(_SC_PAGESIZE) + bytes);
  const rlimit limit{most, most};
  ::setrlimit(RLIMIT_AS, &limit);
}

// Runs `call` in a child process that may take `bytes` more memory: it must throw an Error of `code` whose
// message holds every one of `parts`.
inline void expect_error_within(std::int64_t bytes, ErrorCode code,
                                std::initializer_list<std::string_view> parts,
                                const std::function<void()>& call) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string said;
    try {
      limit_memory(bytes);
      call();
      said = "no error was thrown";
    } catch (const Error& error) {
      said = std::to_string(static_cast<int>(error.code())) + error.what();
    } catch (const std::exception& error) {
      said = std::string("not an Error: ") + error.what();
    }
    said.resize(std::min<std::size_t>(said.size(), 4000));  // fits into the pipe
    const ssize_t written = ::write(ends[1], said.data(), said.size());
    ::_exit(written < 0);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t count; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;) said.append(buffer, count);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  const std::string expected = std::to_string(static_cast<int>(code));
  EXPECT_TRUE(said.starts_with(expected)) << said;
  for (const std::string_view part : parts)
    EXPECT_NE(said.find(part), std::string::npos) << "'" << part << "' is missing in: " << said;
}

// A gzip file of `times` copies of `text` between `head` and `tail`.
inline void put_gzip(const std::filesystem::path& path, std::string_view head, std::string_view text,
                     std::int64_t times, std::string_view tail = "") {
  const gzFile file = gzopen(path.c_str(), "wb1");
  const auto write = [&](std::string_view bytes) {
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  };
  write(head);
  std::string block;
  while (block.size() + text.size() <= 1 << 20) block += text;
  const auto copies = static_cast<std::int64_t>(block.size() / text.size());
  for (; times >= copies; times -= copies) write(block);
  for (; times > 0; --times) write(text);
  write(tail);
  gzclose(file);
}

}  // namespace hyperllm::test
