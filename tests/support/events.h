// A reader of TensorBoard's event files that shares nothing with the writer: it checks every CRC, bit by bit.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/base/files.h"

namespace hyperllm::test {

inline std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const std::uint32_t one = (crc ^ (static_cast<unsigned char>(byte) >> bit)) & 1;
      crc = (crc >> 1) ^ (one ? 0x82f63b78U : 0);
    }
  return ~crc;
}

template <typename T>
T take(std::string_view& bytes) {
  T value{};
  EXPECT_GE(bytes.size(), sizeof value);
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  bytes.remove_prefix(std::min(bytes.size(), sizeof value));
  return value;
}

inline void expect_masked(std::uint32_t found, std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  EXPECT_EQ(found, ((crc >> 15) | (crc << 17)) + 0xa282ead8U);
}

inline std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<std::uint8_t>(bytes);
    value |= static_cast<std::uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
}

// Fields of a message, by number.
struct Message {
  std::map<int, std::uint64_t> numbers;
  std::map<int, double> doubles;
  std::map<int, float> floats;
  std::multimap<int, std::string> bytes;
};

inline Message parse(std::string_view rest) {
  Message message;
  while (!rest.empty()) {
    const std::uint64_t key = take_varint(rest);
    const int field = static_cast<int>(key >> 3);
    switch (key & 7) {
      case 0:
        message.numbers[field] = take_varint(rest);
        break;
      case 1:
        message.doubles[field] = take<double>(rest);
        break;
      case 5:
        message.floats[field] = take<float>(rest);
        break;
      case 2: {
        const std::uint64_t size = take_varint(rest);
        message.bytes.emplace(field, rest.substr(0, size));
        rest.remove_prefix(size);
        break;
      }
      default:
        ADD_FAILURE() << "wire type " << (key & 7);
        return message;
    }
  }
  return message;
}

inline std::vector<Message> read_events(const std::filesystem::path& path) {
  const std::string file = read_file(path);
  std::vector<Message> events;
  for (std::string_view rest = file; !rest.empty();) {
    const std::string_view length_bytes = rest.substr(0, 8);
    const auto length = take<std::uint64_t>(rest);
    expect_masked(take<std::uint32_t>(rest), length_bytes);
    const std::string_view data = rest.substr(0, length);
    rest.remove_prefix(length);
    expect_masked(take<std::uint32_t>(rest), data);
    events.push_back(parse(data));
  }
  return events;
}

}  // namespace hyperllm::test
