#include "hyperllm/data/bytes.h"

#include <iconv.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/data/parquet.h"
#include "hyperllm/data/unpack.h"

namespace hyperllm::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHead = 512;

class FileBytes : public ByteSource {
 public:
  explicit FileBytes(const fs::path& path) : path_(path), file_(open_input(path)) {
    std::setvbuf(file_.get(), nullptr, _IONBF, 0);
  }
  std::size_t read(char* target, std::size_t bytes) override {
    const std::size_t count = std::fread(target, 1, bytes, file_.get());
    if (count == 0 && std::ferror(file_.get()))
      throw Error(ErrorCode::kIo, path_.string() + ": cannot read: " + std::strerror(errno) + ".");
    done_ += static_cast<std::int64_t>(count);
    return count;
  }
  std::int64_t done() const override { return done_; }

 private:
  fs::path path_;
  InputFile file_;
  std::int64_t done_ = 0;
};

// A source whose first bytes have been looked at.
class Ahead : public ByteSource {
 public:
  explicit Ahead(ByteSourcePtr source) : source_(std::move(source)), head_(kHead, '\0') {
    std::size_t size = 0;
    while (size < kHead) {
      const std::size_t count = source_->read(head_.data() + size, kHead - size);
      if (count == 0) break;
      size += count;
    }
    head_.resize(size);
  }
  std::string_view head() const { return head_; }
  void drop(std::size_t bytes) { at_ = bytes; }
  std::size_t read(char* target, std::size_t bytes) override {
    if (at_ == head_.size()) return source_->read(target, bytes);
    const std::size_t count = head_.copy(target, bytes, at_);
    at_ += count;
    return count;
  }
  std::int64_t done() const override { return source_->done(); }

 private:
  ByteSourcePtr source_;
  std::string head_;
  std::size_t at_ = 0;
};

class Converted : public ByteSource {
 public:
  Converted(ByteSourcePtr source, const std::string& encoding)
      : source_(std::move(source)), encoding_(encoding), iconv_(iconv_open("UTF-8", encoding.c_str())) {
    HYPERLLM_CHECK(
        iconv_ != reinterpret_cast<iconv_t>(-1), ErrorCode::kInvalidArgument,
        "encoding: nothing is known of '" + encoding +
            "'. Common ones are windows-1252, windows-1251, gb18030, shift_jis, euc-kr, big5; `iconv "
            "-l` lists all.");
  }
  ~Converted() override { iconv_close(iconv_); }
  std::int64_t done() const override { return source_->done(); }

  std::size_t read(char* target, std::size_t bytes) override {
    char* out = target;
    std::size_t room = bytes;
    while (room == bytes) {
      if (size_ < piece_.size() && !ended_) {
        const std::size_t count = source_->read(piece_.data() + size_, piece_.size() - size_);
        ended_ = count == 0;
        size_ += count;
      }
      if (size_ == 0) return 0;
      char* in = piece_.data();
      std::size_t left = size_;
      const std::size_t code = iconv(iconv_, &in, &left, &out, &room);
      const int error = code == static_cast<std::size_t>(-1) ? errno : 0;
      std::memmove(piece_.data(), in, left);
      size_ = left;
      if (error == EILSEQ || (error == EINVAL && ended_)) {
        if (room < bytes) break;  // what came before is handed out first, so that the line is right
        throw BytesProblem{"bytes that are not " + encoding_,
                           "Give another encoding, or leave the option out for UTF-8."};
      }
      if (error == E2BIG && room == bytes) break;
    }
    return bytes - room;
  }

 private:
  ByteSourcePtr source_;
  std::string encoding_;
  iconv_t iconv_;
  std::string piece_ = std::string(1 << 16, '\0');
  std::size_t size_ = 0;
  bool ended_ = false;
};

// By the byte order mark, or UTF-16 by the zero bytes between plain letters; empty: neither.
std::string marked_encoding(std::string_view head, std::size_t& mark) {
  using namespace std::string_view_literals;
  mark = 3;
  if (head.starts_with("\xEF\xBB\xBF"sv)) return "UTF-8";
  mark = 4;
  if (head.starts_with("\xFF\xFE\0\0"sv)) return "UTF-32LE";
  if (head.starts_with("\0\0\xFE\xFF"sv)) return "UTF-32BE";
  mark = 2;
  if (head.starts_with("\xFF\xFE"sv)) return "UTF-16LE";
  if (head.starts_with("\xFE\xFF"sv)) return "UTF-16BE";
  mark = 0;
  constexpr std::size_t kEnough = 16;
  if (head.size() < kEnough) return "";
  std::size_t even = 0, odd = 0;
  for (std::size_t i = 0; i < head.size(); ++i) (i % 2 ? odd : even) += head[i] == '\0';
  const std::size_t half = head.size() / 2;
  if (odd > half * 9 / 10 && even == 0) return "UTF-16LE";
  return even > half * 9 / 10 && odd == 0 ? "UTF-16BE" : "";
}

// The archive that `path` leads into; empty if it is a path of its own.
fs::path archive_of(const fs::path& path) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) return {};
  for (fs::path part = path.parent_path(); part.has_relative_path(); part = part.parent_path()) {
    if (fs::is_regular_file(part, ignored)) return is_folder(part) ? part : fs::path();
    if (fs::exists(part, ignored)) return {};
  }
  return {};
}

std::string member_of(const fs::path& path, const fs::path& archive) {
  return path.string().substr(archive.string().size() + 1);
}

std::string only_member(const fs::path& archive) {
  const std::vector<std::string> members = zip_members(archive);
  if (members.size() == 1) return members[0];
  std::string list;
  for (const std::string& member : members) list.append(list.empty() ? "" : ", ").append(member);
  throw data_error(archive.string(), 0, "",
                   members.empty() ? "the zip archive holds no file" : "the zip archive holds " + list,
                   members.empty() ? "Check that it is the right one."
                                   : "Name one of them: " + (archive / members[0]).string() + ".");
}

// Commands in remedies name the file.
std::string with_path(std::string remedy, const fs::path& path) {
  const std::size_t at = remedy.find("FILE");
  return at == remedy.npos ? remedy : remedy.replace(at, 4, path.string());
}

}  // namespace

bool is_folder(const fs::path& path) {
  if (fs::is_directory(path)) return true;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return false;
  const std::string name = path.filename().string();
  if (name.ends_with(".npz")) return false;
  const Ahead ahead(std::make_unique<FileBytes>(path));
  return packing_of(ahead.head()) == Packing::kZip && foreign_kind(ahead.head()).problem.empty();
}

bool input_exists(const fs::path& path) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) return true;
  const fs::path archive = archive_of(path);
  if (archive.empty()) return false;
  const std::vector<std::string> members = zip_members(archive);
  return std::find(members.begin(), members.end(), member_of(path, archive)) != members.end();
}

fs::path stored_file(const fs::path& path) {
  const fs::path archive = archive_of(path);
  return archive.empty() ? path : archive;
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::is_directory(folder)) {
    for (const std::string& member : zip_members(folder)) files.push_back(folder / member);
    return files;
  }
  for (const auto& entry : fs::directory_iterator(folder))
    if (!entry.path().filename().string().starts_with('.') && !entry.is_directory())
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

OpenBytes open_bytes(const fs::path& path, const std::string& encoding) {
  OpenBytes result;
  const fs::path archive = archive_of(path);
  const fs::path stored = archive.empty() ? path : archive;
  if (archive.empty()) {
    result.source = std::make_unique<FileBytes>(path);
  } else {
    result.source = open_zip_member(archive, member_of(path, archive));
    result.packing = "zip";
  }
  std::error_code code;
  const auto size = fs::file_size(stored, code);
  result.total = code ? 0 : static_cast<std::int64_t>(size);
  constexpr int kDeepest = 3;
  constexpr const char* kNames[] = {"", "gzip", "bzip2", "xz", "zstd", "zip"};
  std::unique_ptr<Ahead> ahead;
  try {
    for (int depth = 0;; ++depth) {
      ahead = std::make_unique<Ahead>(std::move(result.source));
      const Packing packing = packing_of(ahead->head());
      if (const auto [problem, remedy] = foreign_kind(ahead->head()); !problem.empty())
        throw data_error(path.string(), 0, "", problem, with_path(remedy, stored));
      if (packing == Packing::kNone || depth == kDeepest) break;
      if (packing == Packing::kZip && !result.packing.empty())
        throw data_error(path.string(), 0, "", "a zip archive inside of a packed file",
                         "Unpack the outer one.");
      result.source = packing == Packing::kZip ? open_zip_member(path, only_member(path))
                                               : unpack(packing, std::move(ahead));
      result.packing = kNames[static_cast<int>(packing)];
    }
  } catch (const BytesProblem& problem) {
    throw data_error(path.string(), 1, "", problem.problem, problem.remedy);
  }
  if (is_parquet(ahead->head())) {
    if (!result.packing.empty())
      throw data_error(path.string(), 0, "", "a packed Parquet file", "Unpack it first.");
    result.source = parquet_as_csv(path);
    result.packing = "Parquet";
    result.encoding = "UTF-8";
    return result;
  }
  std::size_t mark = 0;
  const std::string marked = marked_encoding(ahead->head(), mark);
  result.encoding = !encoding.empty() && mark == 0 ? encoding : marked.empty() ? "UTF-8" : marked;
  if (mark > 0) ahead->drop(mark);
  result.source = std::move(ahead);
  if (result.encoding != "UTF-8" && result.encoding != "utf-8" && result.encoding != "utf8")
    result.source = std::make_unique<Converted>(std::move(result.source), result.encoding);
  return result;
}

}  // namespace hyperllm::data
