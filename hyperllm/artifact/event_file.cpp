#include "hyperllm/artifact/event_file.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "hyperllm/base/files.h"

namespace hyperllm::artifact {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

// Castagnoli's polynomial, reflected.
constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78U : 0);
    table[byte] = crc;
  }
  return table;
}

// TensorFlow's mask, so that a CRC over bytes that hold a CRC is not special.
std::uint32_t masked_crc(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc_table();
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(byte)) & 255] ^ (crc >> 8);
  return std::rotr(~crc, 15) + 0xa282ead8U;
}

template <typename T>
std::string bytes_of(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// The parts of the protocol buffer wire format that an Event needs.
enum Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
  out += static_cast<char>(value);
}

void put_key(std::string& out, int field, Wire wire) {
  put_varint(out, static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
}

void put_bytes(std::string& out, int field, std::string_view bytes) {
  put_key(out, field, kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

// Field numbers of Event, Summary, Summary.Value and SessionLog in TensorFlow's event.proto, summary.proto.
std::string event_at(std::int64_t step) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string event;
  put_key(event, 1, kFixed64);
  event += bytes_of(std::chrono::duration<double>(now).count());
  put_key(event, 2, kVarint);
  put_varint(event, static_cast<std::uint64_t>(step));
  return event;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data() : "host";
}

fs::path free_path(const fs::path& folder) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::string name = "events.out.tfevents." +
                           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count()) +
                           "." + host_name() + "." + std::to_string(::getpid());
  fs::path path = folder / name;
  for (int number = 1; fs::exists(path); ++number) path = folder / (name + "." + std::to_string(number));
  return path;
}

}  // namespace

EventFile::EventFile(const fs::path& folder, std::int64_t first_step) {
  make_folder(folder);
  path_ = free_path(folder);
  std::string version = event_at(0);
  put_bytes(version, 3, "brain.Event:2");
  append(version);
  std::string start, status;
  put_key(status, 1, kVarint);
  put_varint(status, 1);
  start = event_at(first_step);
  put_bytes(start, 7, status);
  append(start);
}

void EventFile::add(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    std::string entry;
    put_bytes(entry, 1, tag);
    put_key(entry, 2, kFixed32);
    entry += bytes_of(static_cast<float>(value));
    put_bytes(summary, 1, entry);
  }
  std::string event = event_at(step);
  put_bytes(event, 5, summary);
  append(event);
}

void EventFile::append(std::string_view event) {
  const std::string length = bytes_of(static_cast<std::uint64_t>(event.size()));
  std::string record = length + bytes_of(masked_crc(length));
  record += event;
  record += bytes_of(masked_crc(event));
  append_file(path_, record);
}

}  // namespace hyperllm::artifact
