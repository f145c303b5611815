#include "hyperllm/data/lines.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
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

LineReader::LineReader(std::filesystem::path path) : path_(std::move(path)) {
  const InputFile input = open_input(path_);
  const int descriptor = ::dup(::fileno(input.get()));
  file_ = descriptor < 0 ? nullptr : gzdopen(descriptor, "rb");
  if (!file_) {
    const Error error = io_error(path_, "open");
    if (descriptor >= 0) ::close(descriptor);
    throw error;
  }
  gzbuffer(file_, kPiece);
  std::error_code code;
  const auto size = std::filesystem::file_size(path_, code);
  bytes_total_ = code ? 0 : static_cast<std::int64_t>(size);
  buffer_.resize(kPiece);
}

LineReader::~LineReader() { gzclose(file_); }

std::int64_t LineReader::bytes_done() const { return gzoffset(file_); }

void LineReader::fail() const {
  int code = 0;
  const char* reason = gzerror(file_, &code);
  if (code == Z_ERRNO)
    throw Error(ErrorCode::kIo, path_.string() + ": cannot read: " + std::strerror(errno) + ".");
  if (code == Z_BUF_ERROR)
    throw data_error(path_.string(), line_number_ + 1, "", "the gzip file is truncated",
                     "Download or copy it again.");
  throw data_error(path_.string(), line_number_ + 1, "",
                   std::string("the gzip file is damaged (") + reason + ")", "Download or copy it again.");
}

void LineReader::fail_out_of_proportion() const {
  throw data_error(path_.string(), line_number_ + 1, "",
                   "this gzip file of " + std::to_string(bytes_total_) +
                       " bytes unpacks to more than any honest text would",
                   "If it is what it should be, unpack it with gunzip and give the text.");
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
  const int count = gzread(file_, buffer_.data() + end_, static_cast<unsigned>(buffer_.size() - end_));
  if (count < 0) fail();
  if (count == 0) {
    int code = 0;
    gzerror(file_, &code);
    if (code != Z_OK && code != Z_STREAM_END) fail();
    at_end_ = true;
    return false;
  }
  end_ += static_cast<std::size_t>(count);
  bytes_unpacked_ += count;
  compressed_ = !gzdirect(file_);
  if (compressed_ && bytes_unpacked_ > kFreeBytes &&
      (bytes_unpacked_ - kFreeBytes) / kMostBytes > bytes_total_)
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
  if (compressed_ && line_number_ > kFreeLines + bytes_total_) fail_out_of_proportion();
  const char* start = buffer_.data() + begin_;
  const char* stop = newline ? newline : buffer_.data() + end_;
  begin_ = newline ? static_cast<std::size_t>(newline + 1 - buffer_.data()) : end_;
  ++line_number_;
  if (std::memchr(start, '\0', static_cast<std::size_t>(stop - start)))
    throw data_error(
        path_.string(), line_number_, "", "a NUL byte: this is not UTF-8 text",
        "Convert the file, for example with iconv -t UTF-8, or check that it is the right file.");
  if (stop > start && stop[-1] == '\r') --stop;
  line = {start, static_cast<std::size_t>(stop - start)};
  if (line_number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  return true;
}

}  // namespace hyperllm::data
