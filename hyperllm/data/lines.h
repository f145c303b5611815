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

  // The next line without its "\n" or "\r\n" ("\r" where the file has no other line ends); false at the end.
  // The view is good until the next call. Throws kIo (read failure), kInvalidData (truncated or damaged
  // gzip, or one that unpacks out of all proportion: to more than 64 MiB and 128 bytes for each of its own,
  // or to more than four million lines and one for each byte; a line of more than 16 MiB; a NUL byte: not a
  // text file).
  bool next(std::string_view& line);

  // The next value of a JSON (or Python) list, or of values that follow one another, whatever the line ends;
  // false at the end. The text is from the value's first letter to its last and may be no JSON. A file is read
  // by this or by next(), not by both. Throws as next(): a value of more than 16 MiB, a list that is never closed.
  bool next_value(std::string_view& text);

  // The text that is read next, at least `bytes` of it unless the file ends before; nothing is taken. Good
  // until the next call. Throws as next().
  std::string_view ahead(std::size_t bytes);

  // On which the line or value last returned starts; 0 before the first.
  std::int64_t line_number() const { return line_number_; }
  const std::filesystem::path& path() const { return path_; }
  std::int64_t bytes_total() const { return bytes_.total; }          // size of the file as stored
  std::int64_t bytes_done() const { return bytes_.source->done(); }  // of those, how many have been read
  const std::string& packing() const { return bytes_.packing; }      // as in OpenBytes
  const std::string& encoding() const { return bytes_.encoding; }

 private:
  bool fill();
  void count_piece();
  void refuse_nul(std::string_view text) const;
  // Parquet is unpacked by a program that knows how much it should be.
  bool packed() const { return !bytes_.packing.empty() && bytes_.packing != "Parquet"; }
  [[noreturn]] void fail_out_of_proportion() const;
  [[noreturn]] void fail_open(std::int64_t line, const std::string& what) const;
  std::filesystem::path path_;
  OpenBytes bytes_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool at_end_ = false;
  bool in_list_ = false;       // next_value is between a list's brackets
  const char* unit_ = "line";  // what is read, for errors
  char line_end_ = '\n';
  std::int64_t line_number_ = 0;  // where what was returned last starts
  std::int64_t next_line_ = 1;    // where reading goes on
  std::int64_t pieces_ = 0;       // lines or values returned
  std::int64_t bytes_unpacked_ = 0;
};

}  // namespace hyperllm::data
