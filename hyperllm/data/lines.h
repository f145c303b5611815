// Lines of a text file, plain or packed, read in pieces: memory does not grow with the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "hyperllm/data/bytes.h"

namespace hyperllm::data {

class LineReader {
 public:
  // Opens what open_bytes opens, and throws as it does.
  explicit LineReader(std::filesystem::path path, const std::string& encoding = "");

  // The next line without its "\n" or "\r\n" and, on line 1, without a UTF-8 byte order mark; false at the
  // end. The view is good until the next call. Throws kIo (read failure), kInvalidData (truncated or damaged
  // gzip, or one that unpacks out of all proportion: to more than 64 MiB and 128 bytes for each of its own,
  // or to more than four million lines and one for each byte; a line of more than 16 MiB; a NUL byte: not a
  // text file).
  bool next(std::string_view& line);

  std::int64_t line_number() const { return line_number_; }  // of the line last returned; 0 before the first
  const std::filesystem::path& path() const { return path_; }
  std::int64_t bytes_total() const { return bytes_.total; }          // size of the file as stored
  std::int64_t bytes_done() const { return bytes_.source->done(); }  // of those, how many have been read
  const std::string& packing() const { return bytes_.packing; }      // as in OpenBytes
  const std::string& encoding() const { return bytes_.encoding; }

 private:
  bool fill();
  // Parquet is unpacked by a program that knows how much it should be.
  bool packed() const { return !bytes_.packing.empty() && bytes_.packing != "Parquet"; }
  [[noreturn]] void fail_out_of_proportion() const;
  std::filesystem::path path_;
  OpenBytes bytes_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool at_end_ = false;
  std::int64_t line_number_ = 0;
  std::int64_t bytes_unpacked_ = 0;
};

}  // namespace hyperllm::data
