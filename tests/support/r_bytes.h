// Files of R, byte by byte.
#pragma once

#include <zlib.h>

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace hyperllm::test::r {

// Bytes as R Internals, section 1.8, lays them out.
inline std::string u32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}
inline std::string f64(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  return u32(static_cast<std::uint32_t>(bits >> 32)) + u32(static_cast<std::uint32_t>(bits));
}
inline constexpr std::uint32_t kAttributes = 0x200, kTag = 0x400;
inline const std::string kNil = u32(254);
inline const std::string kNaString = u32(9) + u32(0xffffffff);
inline std::string chars(const std::string& text, std::uint32_t encoding = 0x40000) {
  return u32(9 | encoding) + u32(static_cast<std::uint32_t>(text.size())) + text;
}
inline std::string symbol(const std::string& name) { return u32(1) + chars(name); }
inline std::string texts(const std::vector<std::string>& values) {
  std::string bytes = u32(16) + u32(static_cast<std::uint32_t>(values.size()));
  for (const auto& value : values) bytes += chars(value);
  return bytes;
}
inline std::string cell(const std::string& tag, const std::string& value) {
  return u32(2 | kTag) + tag + value;
}
inline std::string header(std::uint32_t version = 2) {
  return "X\n" + u32(version) + u32(0x030500) + u32(0x020300);
}

// data.frame(id = 1:3 with NA, title = c(...), genre = factor(...), score = doubles)
inline std::string frame() {
  const std::string id = u32(13) + u32(3) + u32(7) + u32(0x80000000) + u32(static_cast<std::uint32_t>(-2));
  const std::string title =
      u32(16) + u32(3) + chars("Heat", 0x40000) + chars("Am\xe9lie", 0x4000) + kNaString;
  const std::string levels = cell(symbol("levels"), texts({"Drama", "Comedy"}));
  const std::string genre =
      u32(13 | kAttributes) + u32(3) + u32(2) + u32(1) + u32(0x80000000) + levels + kNil;
  const std::string score = u32(14) + u32(3) + f64(4.5) + f64(-0.25) + f64(1e300);
  // The tag "levels" was the first symbol, "names" the second; row.names comes by reference to neither.
  return u32(19 | kAttributes) + u32(4) + id + title + genre + score +
         cell(symbol("names"), texts({"id", "title", "genre", "score"})) + kNil;
}
inline std::string rda(const std::string& value) {
  return "RDX2\n" + header() + cell(symbol("movies"), value) + kNil;
}

inline std::string deflate_with(const std::string& bytes, int window) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string output(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  deflate(&stream, Z_FINISH);
  output.resize(stream.total_out);
  deflateEnd(&stream);
  return output;
}

}  // namespace hyperllm::test::r
