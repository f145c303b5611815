#include "hyperllm/data/lines.h"

#include <cstring>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm::data {
namespace {
constexpr std::size_t kPiece = 1 << 18;
constexpr std::size_t kLongestLine = 16 << 20;
constexpr std::int64_t kFreeBytes = 64 << 20, kMostBytes = 128;  // any gzip; for each byte of its own
constexpr std::int64_t kFreeLines = 4 << 20;
}  // namespace

LineReader::LineReader(std::filesystem::path path, const std::string& encoding)
    : path_(std::move(path)), bytes_(open_bytes(path_, encoding)) {
  buffer_.resize(kPiece);
}

void LineReader::fail_out_of_proportion() const {
  throw data_error(path_.string(), line_number_ + 1, "",
                   "this " + bytes_.packing + " file of " + std::to_string(bytes_.total) +
                       " bytes unpacks to more than any honest text would",
                   bytes_.packing == "gzip"
                       ? "If it is what it should be, unpack it with gunzip and give the text."
                       : "If it is what it should be, unpack it and give the text.");
}

bool LineReader::fill() {
  if (at_end_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (end_ == buffer_.size()) {
    if (buffer_.size() >= kLongestLine)
      throw data_error(path_.string(), line_number_ + 1, "", "the line is longer than 16 MiB",
                       "Check that this is a text file with one record a line.");
    buffer_.resize(buffer_.size() * 2);
  }
  std::size_t count = 0;
  try {
    count = bytes_.source->read(buffer_.data() + end_, buffer_.size() - end_);
  } catch (const BytesProblem& bad) {
    throw data_error(path_.string(), line_number_ + 1, "", bad.problem, bad.remedy);
  }
  if (count == 0) {
    at_end_ = true;
    return false;
  }
  end_ += count;
  bytes_unpacked_ += static_cast<std::int64_t>(count);
  if (packed() && bytes_unpacked_ > kFreeBytes && (bytes_unpacked_ - kFreeBytes) / kMostBytes > bytes_.total)
    fail_out_of_proportion();
  return true;
}

bool LineReader::next(std::string_view& line) {
  std::size_t searched = 0;
  const char* newline = nullptr;
  while (true) {
    const char* from = buffer_.data() + begin_ + searched;
    newline = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_ - searched));
    if (newline) break;
    searched = end_ - begin_;
    if (!fill()) break;
  }
  if (!newline && begin_ == end_) return false;
  if (packed() && line_number_ > kFreeLines + bytes_.total) fail_out_of_proportion();
  const char* start = buffer_.data() + begin_;
  const char* stop = newline ? newline : buffer_.data() + end_;
  begin_ = newline ? static_cast<std::size_t>(newline + 1 - buffer_.data()) : end_;
  ++line_number_;
  if (std::memchr(start, '\0', static_cast<std::size_t>(stop - start)))
    throw data_error(
        path_.string(), line_number_, "", "a NUL byte: this is not UTF-8 text",
        "Give its encoding, for example encoding = UTF-16LE (or convert it with iconv -f UTF-16LE -t UTF-8), "
        "or check that it is the right file.");
  if (stop > start && stop[-1] == '\r') --stop;
  line = {start, static_cast<std::size_t>(stop - start)};
  if (line_number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  return true;
}

}  // namespace hyperllm::data
