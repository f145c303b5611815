// Packed bytes as the bytes that were packed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/data/bytes.h"

namespace hyperllm::data {

enum class Packing { kNone, kGzip, kBzip2, kXz, kZstd, kZip };

Packing packing_of(std::string_view head);
ByteSourcePtr unpack(Packing packing, ByteSourcePtr packed);  // not zip

// Names of the archive's files, without folders, hidden files and what macOS puts beside them; sorted.
std::vector<std::string> zip_members(const std::filesystem::path& archive);
ByteSourcePtr open_zip_member(const std::filesystem::path& archive, const std::string& member);

}  // namespace hyperllm::data
