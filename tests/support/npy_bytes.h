// Files of NumPy and SciPy, byte by byte.
#pragma once

#include <gtest/gtest.h>
#include <zip.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace hyperllm::test {

inline std::string bytes_of(const void* data, std::size_t size) {
  return {static_cast<const char*>(data), size};
}
template <typename T>
inline std::string bytes_of(const std::vector<T>& values) {
  return bytes_of(values.data(), values.size() * sizeof(T));
}

inline std::string npy(const std::string& dict, const std::string& data, int version = 1) {
  std::string head = "\x93NUMPY";
  head += static_cast<char>(version);
  head += '\0';
  const std::size_t size = dict.size();
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) head += static_cast<char>(size >> (8 * i) & 0xff);
  return head + dict + data;
}

inline std::string dict(const std::string& descr, const std::string& shape,
                        const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

using NpzEntries = std::map<std::string, std::string>;

// Of [[5, 0, 6], [0, 0, 0], [0, 7, explicit 0]], columns of the last row out of order.
inline NpzEntries npz_entries() {
  return {{"format.npy", npy(dict("|S3", "()"), "csr")},
          {"shape.npy", npy(dict("<i8", "(2,)"), bytes_of(std::vector<std::int64_t>{3, 3}))},
          {"indptr.npy", npy(dict("<i4", "(4,)"), bytes_of(std::vector<std::int32_t>{0, 2, 2, 4}))},
          {"indices.npy", npy(dict("<i4", "(4,)"), bytes_of(std::vector<std::int32_t>{0, 2, 2, 1}))},
          {"data.npy", npy(dict("<f8", "(4,)"), bytes_of(std::vector<double>{5, 6, 0, 7}))}};
}

inline std::filesystem::path pack_npz(const std::filesystem::path& path, const NpzEntries& entries,
                                      bool compressed = true) {
  std::filesystem::remove(path);
  int code = 0;
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE, &code);
  for (const auto& [name, content] : entries) {
    const auto index =
        zip_file_add(zip, name.c_str(), zip_source_buffer(zip, content.data(), content.size(), 0), 0);
    zip_set_file_compression(zip, static_cast<zip_uint64_t>(index),
                             compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 9);
  }
  EXPECT_EQ(zip_close(zip), 0);
  return path;
}

}  // namespace hyperllm::test
