// Bytes of an input file: unpacked, told by its first bytes, and converted to UTF-8.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::data {

// What is wrong with a file's bytes; whoever knows the line makes an Error of it.
struct BytesProblem {
  std::string problem, remedy;
};

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // At most `bytes` bytes; 0 only at the end. Throws BytesProblem, and kIo.
  virtual std::size_t read(char* target, std::size_t bytes) = 0;
  virtual std::int64_t done() const = 0;  // bytes of the stored file that have been read
};
using ByteSourcePtr = std::unique_ptr<ByteSource>;

struct OpenBytes {
  ByteSourcePtr source;
  std::int64_t total = 0;  // size as stored
  std::string packing;     // "gzip", "zip", "bzip2", "xz", "zstd", "Parquet"; empty: as it is
  std::string encoding;    // as told or by the byte order mark; "UTF-8" where nothing is converted
};

// Opens a file, or a member of a zip archive called as if the archive were a folder (a.zip/b.csv). Unpacks
// gzip, bzip2, xz, zstd, also twice packed, and an archive with one member; lets DuckDB's command line program or
// Python's pyarrow turn Parquet into CSV. `encoding` is a name that iconv knows; empty: UTF-8, or UTF-16 where
// the first bytes say so. A byte order mark counts before it, and is dropped. Throws kIo; kInvalidArgument: no such encoding; kUnavailable: Parquet and no program
// for it; kInvalidData for what is no text (a web page, a Git LFS pointer, a spreadsheet, ...), by its name.
OpenBytes open_bytes(const std::filesystem::path& path, const std::string& encoding);

// What a file of no text is, by its first bytes, and what to do; an empty problem for any other.
BytesProblem foreign_kind(std::string_view head);

// A zip archive counts as a folder of its members.
bool is_folder(const std::filesystem::path& path);
bool input_exists(const std::filesystem::path& path);
// The file on disk: for a member of an archive, the archive.
std::filesystem::path stored_file(const std::filesystem::path& path);
// Paths of the regular files in a folder, or in an archive whatever the depth; sorted. Hidden files, and what
// macOS puts beside files, are left out. Throws kIo, kInvalidData.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder);

}  // namespace hyperllm::data
