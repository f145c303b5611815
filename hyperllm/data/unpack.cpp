#include "hyperllm/data/unpack.h"

#include <bzlib.h>
#include <lzma.h>
#include <zip.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 1 << 18;
constexpr const char* kAgain = "Download or copy it again.";

[[noreturn]] void truncated(const std::string& kind) {
  throw BytesProblem{"the " + kind + " file is truncated", kAgain};
}
[[noreturn]] void damaged(const std::string& kind, const std::string& reason) {
  throw BytesProblem{"the " + kind + " file is damaged (" + reason + ")", kAgain};
}

// What the four stream libraries have in common: pieces in, pieces out.
class Unpacker : public ByteSource {
 public:
  explicit Unpacker(ByteSourcePtr packed) : packed_(std::move(packed)), piece_(kPiece, '\0') {}
  std::int64_t done() const override { return packed_->done(); }

 protected:
  // More input if all is used up; false at its end.
  bool feed() {
    if (left_ > 0) return true;
    at_ = piece_.data();
    left_ = packed_->read(piece_.data(), piece_.size());
    return left_ > 0;
  }
  ByteSourcePtr packed_;
  std::string piece_;
  char* at_ = nullptr;
  std::size_t left_ = 0;
};

class Gzip : public Unpacker {
 public:
  explicit Gzip(ByteSourcePtr packed) : Unpacker(std::move(packed)) { start(); }
  ~Gzip() override { inflateEnd(&stream_); }

  std::size_t read(char* target, std::size_t bytes) override {
    stream_.next_out = reinterpret_cast<Bytef*>(target);
    stream_.avail_out = static_cast<uInt>(bytes);
    while (stream_.avail_out == bytes && !ended_) {
      if (!feed()) truncated("gzip");
      stream_.next_in = reinterpret_cast<Bytef*>(at_);
      stream_.avail_in = static_cast<uInt>(left_);
      const int code = inflate(&stream_, Z_NO_FLUSH);
      at_ += left_ - stream_.avail_in;
      left_ = stream_.avail_in;
      if (code == Z_STREAM_END)
        next_member();
      else if (code != Z_OK && code != Z_BUF_ERROR)
        damaged("gzip", stream_.msg ? stream_.msg : "unknown");
    }
    return bytes - stream_.avail_out;
  }

 private:
  void start() {
    constexpr int kGzipOnly = 15 + 16;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) damaged("gzip", "cannot unpack");
  }
  // Members may follow one another; anything else behind the last one is ignored, as gzip does.
  void next_member() {
    if (feed() && left_ == 1) {
      const char first = *at_;
      piece_[0] = first;
      at_ = piece_.data();
      left_ = 1 + packed_->read(piece_.data() + 1, piece_.size() - 1);
    }
    if (left_ >= 2 && packing_of({at_, left_}) == Packing::kGzip) {
      inflateReset(&stream_);
      return;
    }
    ended_ = true;
  }
  z_stream stream_{};
  bool ended_ = false;
};

class Bzip2 : public Unpacker {
 public:
  explicit Bzip2(ByteSourcePtr packed) : Unpacker(std::move(packed)) { BZ2_bzDecompressInit(&stream_, 0, 0); }
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }

  std::size_t read(char* target, std::size_t bytes) override {
    stream_.next_out = target;
    stream_.avail_out = static_cast<unsigned>(bytes);
    while (stream_.avail_out == bytes && !ended_) {
      if (!feed()) truncated("bzip2");
      stream_.next_in = at_;
      stream_.avail_in = static_cast<unsigned>(left_);
      const int code = BZ2_bzDecompress(&stream_);
      at_ += left_ - stream_.avail_in;
      left_ = stream_.avail_in;
      if (code == BZ_STREAM_END) {
        ended_ = !feed();
        BZ2_bzDecompressEnd(&stream_);
        char* const out = stream_.next_out;
        const unsigned room = stream_.avail_out;
        stream_ = {};
        BZ2_bzDecompressInit(&stream_, 0, 0);
        stream_.next_out = out;
        stream_.avail_out = room;
      } else if (code != BZ_OK) {
        damaged("bzip2", "error " + std::to_string(code));
      }
    }
    return bytes - stream_.avail_out;
  }

 private:
  bz_stream stream_{};
  bool ended_ = false;
};

class Xz : public Unpacker {
 public:
  explicit Xz(ByteSourcePtr packed) : Unpacker(std::move(packed)) {
    constexpr std::uint64_t kMemory = 256 << 20;
    if (lzma_stream_decoder(&stream_, kMemory, LZMA_CONCATENATED) != LZMA_OK) damaged("xz", "cannot unpack");
  }
  ~Xz() override { lzma_end(&stream_); }

  std::size_t read(char* target, std::size_t bytes) override {
    stream_.next_out = reinterpret_cast<std::uint8_t*>(target);
    stream_.avail_out = bytes;
    while (stream_.avail_out == bytes && !ended_) {
      const bool more = feed();
      stream_.next_in = reinterpret_cast<const std::uint8_t*>(at_);
      stream_.avail_in = left_;
      const lzma_ret code = lzma_code(&stream_, more ? LZMA_RUN : LZMA_FINISH);
      at_ += left_ - stream_.avail_in;
      left_ = stream_.avail_in;
      if (code == LZMA_STREAM_END)
        ended_ = true;
      else if (code == LZMA_BUF_ERROR)
        truncated("xz");
      else if (code == LZMA_MEMLIMIT_ERROR)
        throw BytesProblem{"unpacking this xz file takes more than 256 MB of memory",
                           "Unpack it with xz -d and give the file."};
      else if (code != LZMA_OK)
        damaged("xz", "error " + std::to_string(static_cast<int>(code)));
    }
    return bytes - stream_.avail_out;
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ended_ = false;
};

class Zstd : public Unpacker {
 public:
  explicit Zstd(ByteSourcePtr packed) : Unpacker(std::move(packed)), stream_(ZSTD_createDStream()) {
    if (!stream_) damaged("zstd", "cannot unpack");
  }
  ~Zstd() override { ZSTD_freeDStream(stream_); }

  std::size_t read(char* target, std::size_t bytes) override {
    ZSTD_outBuffer out{target, bytes, 0};
    while (out.pos == 0) {
      // What the library still holds comes without more input.
      if (!pending_ && !feed()) {
        if (inside_) truncated("zstd");
        break;
      }
      ZSTD_inBuffer in{at_, left_, 0};
      const std::size_t code = ZSTD_decompressStream(stream_, &out, &in);
      at_ += in.pos;
      left_ -= in.pos;
      if (ZSTD_isError(code)) fail(code);
      inside_ = code != 0;
      pending_ = inside_ && out.pos == out.size;
    }
    return out.pos;
  }

 private:
  [[noreturn]] static void fail(std::size_t code) {
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
      throw BytesProblem{"unpacking this zstd file takes more than 128 MB of memory",
                         "Unpack it with zstd -d --long=31 FILE and give the result."};
    damaged("zstd", ZSTD_getErrorName(code));
  }
  ZSTD_DStream* stream_;
  bool inside_ = false;   // of a frame
  bool pending_ = false;  // more may come out without input
};

using Archive = std::unique_ptr<zip_t, void (*)(zip_t*)>;

Archive open_archive(const fs::path& path) {
  require_regular_file(path);
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code), zip_discard);
  if (!archive) throw data_error(path.string(), 0, "", "this zip archive is damaged or not whole", kAgain);
  return archive;
}

class ZipMember : public ByteSource {
 public:
  ZipMember(const fs::path& path, const std::string& member)
      : archive_(open_archive(path)), file_(zip_fopen(archive_.get(), member.c_str(), 0), zip_fclose) {
    if (!file_)
      throw data_error(path.string() + "/" + member, 0, "",
                       std::string("cannot unpack: ") + zip_strerror(archive_.get()),
                       "Unpack it with unzip and give the file.");
    zip_stat_t stat;
    if (zip_stat(archive_.get(), member.c_str(), 0, &stat) == 0 && stat.size > 0)
      stored_share_ = static_cast<double>(stat.comp_size) / static_cast<double>(stat.size);
  }
  std::size_t read(char* target, std::size_t bytes) override {
    const zip_int64_t count = zip_fread(file_.get(), target, bytes);
    if (count < 0) damaged("zip", zip_file_strerror(file_.get()));
    unpacked_ += count;
    return static_cast<std::size_t>(count);
  }
  std::int64_t done() const override {
    return static_cast<std::int64_t>(static_cast<double>(unpacked_) * stored_share_);
  }

 private:
  Archive archive_;
  std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file_;
  std::int64_t unpacked_ = 0;
  double stored_share_ = 1;
};

}  // namespace

Packing packing_of(std::string_view head) {
  using namespace std::string_view_literals;
  if (head.starts_with("\x1F\x8B"sv)) return Packing::kGzip;
  if (head.starts_with("BZh"sv) && head.size() > 9 && head.substr(4, 6) == "1AY&SY"sv) return Packing::kBzip2;
  if (head.starts_with("\xFD"
                       "7zXZ\0"sv))
    return Packing::kXz;
  const bool skippable = head.size() > 4 && (head[0] & 0xF0) == 0x50 && head.substr(1, 3) == "\x2A\x4D\x18"sv;
  if (head.starts_with("\x28\xB5\x2F\xFD"sv) || skippable) return Packing::kZstd;
  if (head.starts_with("PK\x03\x04"sv) || head.starts_with("PK\x05\x06"sv)) return Packing::kZip;
  return Packing::kNone;
}

ByteSourcePtr unpack(Packing packing, ByteSourcePtr packed) {
  if (packing == Packing::kGzip) return std::make_unique<Gzip>(std::move(packed));
  if (packing == Packing::kBzip2) return std::make_unique<Bzip2>(std::move(packed));
  if (packing == Packing::kZstd) return std::make_unique<Zstd>(std::move(packed));
  return std::make_unique<Xz>(std::move(packed));
}

std::vector<std::string> zip_members(const fs::path& path) {
  const Archive archive = open_archive(path);
  std::vector<std::string> names;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
    const char* const raw = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), 0);
    const std::string name = raw ? raw : "";
    const std::string last = fs::path(name).filename().string();
    if (last.empty() || last.starts_with('.') || name.starts_with("__MACOSX/")) continue;
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

ByteSourcePtr open_zip_member(const fs::path& archive, const std::string& member) {
  return std::make_unique<ZipMember>(archive, member);
}

}  // namespace hyperllm::data
