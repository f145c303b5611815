#include "hyperllm/data/lines.h"

#include <cstring>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/data/json_scan.h"

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
  throw data_error(path_.string(), next_line_, "",
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
      throw data_error(path_.string(), next_line_, "", std::string("the ") + unit_ + " is longer than 16 MiB",
                       "Check that this is a text file with one record a " + std::string(unit_) + ".");
    buffer_.resize(buffer_.size() * 2);
  }
  std::size_t count = 0;
  try {
    count = bytes_.source->read(buffer_.data() + end_, buffer_.size() - end_);
  } catch (const BytesProblem& bad) {
    throw data_error(path_.string(), next_line_, "", bad.problem, bad.remedy);
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

std::string_view LineReader::ahead(std::size_t bytes) {
  while (end_ - begin_ < bytes && fill()) {
  }
  return {buffer_.data() + begin_, end_ - begin_};
}

void LineReader::count_piece() {
  if (packed() && pieces_++ > kFreeLines + bytes_.total) fail_out_of_proportion();
}

void LineReader::refuse_nul(std::string_view text) const {
  if (text.find('\0') != text.npos)
    throw data_error(
        path_.string(), line_number_, "", "a NUL byte: this is not UTF-8 text",
        "Give its encoding, for example encoding = UTF-16LE (or convert it with iconv -f UTF-16LE -t UTF-8), "
        "or check that it is the right file.");
}

bool LineReader::next(std::string_view& line) {
  if (line_number_ == 0) {
    const std::string_view start = ahead(kPiece);
    if (start.find('\n') == start.npos && start.find('\r') != start.npos) line_end_ = '\r';
  }
  std::size_t searched = 0;
  const char* newline = nullptr;
  while (true) {
    const char* from = buffer_.data() + begin_ + searched;
    newline = static_cast<const char*>(std::memchr(from, line_end_, end_ - begin_ - searched));
    if (newline) break;
    searched = end_ - begin_;
    if (!fill()) break;
  }
  if (!newline && begin_ == end_) return false;
  count_piece();
  const char* start = buffer_.data() + begin_;
  const char* stop = newline ? newline : buffer_.data() + end_;
  begin_ = newline ? static_cast<std::size_t>(newline + 1 - buffer_.data()) : end_;
  line_number_ = next_line_++;
  while (stop > start && stop[-1] == '\r') --stop;
  line = {start, static_cast<std::size_t>(stop - start)};
  refuse_nul(line);
  return true;
}

bool LineReader::next_value(std::string_view& text) {
  unit_ = "value";
  const auto between = [&](char letter) {
    if (letter == '[' && !in_list_) return in_list_ = true;
    if (letter == ']' && in_list_) return !(in_list_ = false);
    return std::string_view(" \t\r\n,").find(letter) != std::string_view::npos;
  };
  for (; (begin_ < end_ || fill()) && between(buffer_[begin_]); ++begin_)
    next_line_ += buffer_[begin_] == '\n';
  if (begin_ == end_) {
    if (in_list_) fail_open(next_line_, "list");
    return false;
  }
  count_piece();
  line_number_ = next_line_;
  JsonScan scan;
  std::size_t size = 0;
  for (; begin_ + size < end_ || fill(); ++size) {
    const char letter = buffer_[begin_ + size];
    if (scan.ends_before(letter)) break;
    scan.take(letter);
    next_line_ += letter == '\n';
  }
  if (scan.open()) fail_open(line_number_, "value");
  text = {buffer_.data() + begin_, size};
  begin_ += size;
  refuse_nul(text);
  return true;
}

void LineReader::fail_open(std::int64_t line, const std::string& what) const {
  throw data_error(path_.string(), line, "", "the JSON " + what + " is not closed before the file ends",
                   "The file is not whole: download or copy it again.");
}

}  // namespace hyperllm::data
