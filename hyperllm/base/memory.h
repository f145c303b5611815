// How much memory this process has used and may still use.
#pragma once

#include <cstdint>
#include <filesystem>

namespace hyperllm {

// Largest resident set so far (VmHWM), in bytes; 0 where /proc does not tell.
std::int64_t peak_memory();
// Resident set now (VmRSS), in bytes; 0 where /proc does not tell.
std::int64_t resident_memory();

// Takes program and library pages that were only read, and are in the page cache anyway, out of the resident
// set; what is needed again comes back by a minor fault. Loading LibTorch and the libraries that it is linked
// to touches about 100 MB that a run never looks at again. Pages that hold anything of this process's own
// (data, relocations, a debugger's breakpoints) stay. Does nothing where /proc does not tell which those are.
void release_file_pages();

// Bytes that this process may still take: MemAvailable of the machine or, if smaller, the room that is left
// under the limit of any control group (version 1 or 2) that the process is in; file cache counts as room. -1
// where nothing tells. `root` stands in for "/" in tests.
std::int64_t available_memory(const std::filesystem::path& root = "/");

// What a file of `stored` bytes may take in memory, all that it unpacks to together, for readers of
// compressed and compact forms: 64 MiB and 32 times its size, which no honest file comes near, or what the
// machine has left if that is less.
std::int64_t unpacked_limit(std::int64_t stored);

}  // namespace hyperllm
