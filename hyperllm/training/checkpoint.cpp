#include "hyperllm/training/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/hash.h"
#include "hyperllm/base/json.h"

namespace hyperllm::training {
namespace {

using Json = nlohmann::json;

constexpr const char* kHashKey = "xxh3";
constexpr std::uint64_t kLongestHeader = 16 << 20;  // parsed JSON is tens of times as large as its text
constexpr std::size_t kMostDimensions = 16;

Error damaged(const std::filesystem::path& path, const std::string& problem) {
  return data_error(path.string(), 0, "", "not a usable checkpoint: " + problem,
                    "Delete the file to start this run afresh, or restore it from a copy.");
}

// `header` without the hash itself. Its keys are sorted, so its text is the same again after parsing.
std::string hash_of(const Json& header, const std::string& payload_hash) {
  return hash_text(header.dump() + payload_hash);
}

std::string_view bytes_of(const torch::Tensor& values) {
  return {reinterpret_cast<const char*>(values.data_ptr<float>()), values.numel() * sizeof(float)};
}

torch::Tensor read_tensor(const std::filesystem::path& path, const std::string& name, const Json& entry,
                          std::string_view payload) {
  const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
  const auto end = entry.at("data_offsets").at(1).get<std::uint64_t>();
  const auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
  std::uint64_t bytes = sizeof(float), strides = sizeof(float);
  for (std::int64_t size : shape) {
    const auto side = static_cast<std::uint64_t>(size);
    if (size < 0 || shape.size() > kMostDimensions ||
        __builtin_mul_overflow(strides, std::max<std::uint64_t>(side, 1), &strides))
      throw damaged(path, "tensor '" + name + "' has an impossible shape");
    bytes *= side;
  }
  if (entry.at("dtype") != "F32" || begin > end || end > payload.size() || end - begin != bytes)
    throw damaged(path, "tensor '" + name + "' does not fit its bytes");
  torch::Tensor tensor = torch::empty(shape, torch::kFloat);
  if (bytes > 0) std::memcpy(tensor.data_ptr<float>(), payload.data() + begin, bytes);
  return tensor;
}

}  // namespace

const std::string& Checkpoint::text(const std::string& key) const {
  const auto found = texts.find(key);
  if (found == texts.end()) throw damaged(path, "entry '" + key + "' is missing");
  return found->second;
}

const torch::Tensor& Checkpoint::tensor(const std::string& name) const {
  for (const auto& [key, value] : tensors)
    if (key == name) return value;
  throw damaged(path, "tensor '" + name + "' is missing");
}

std::int64_t Checkpoint::count(const std::string& key) const {
  const Json value = parse_json(text(key));
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
    throw damaged(path, "entry '" + key + "' is not a whole number of at least 0");
  return value.get<std::int64_t>();
}

double Checkpoint::number(const std::string& key) const {
  const Json value = parse_json(text(key));
  if (!value.is_number()) throw damaged(path, "entry '" + key + "' is not a number");
  return value.get<double>();
}

std::vector<std::pair<std::string, double>> Checkpoint::numbers(const std::string& key) const {
  const Json value = parse_json(text(key));
  const bool good =
      value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& entry) {
        return entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_number();
      });
  if (!good) throw damaged(path, "entry '" + key + "' is not a list of names and numbers");
  return value.get<std::vector<std::pair<std::string, double>>>();
}

void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  // The tensors are walked twice, hashed and then written, and never copied: they may be most of the memory.
  Json header;
  std::vector<torch::Tensor> payload;
  Hasher hasher;
  std::size_t size = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const torch::Tensor& values = payload.emplace_back(tensor.detach().contiguous());
    const std::string_view bytes = bytes_of(values);
    hasher.add(bytes);
    header[name] = {
        {"dtype", "F32"}, {"shape", values.sizes().vec()}, {"data_offsets", {size, size + bytes.size()}}};
    size += bytes.size();
  }
  header["__metadata__"] = checkpoint.texts;
  header["__metadata__"][kHashKey] = hash_of(header, hasher.text());
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(text);
  for (const torch::Tensor& values : payload) file.write(bytes_of(values));
  file.commit();
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  const std::string content = read_file(path, kNoLimit);
  std::uint64_t length = 0;
  if (content.size() < sizeof length) throw damaged(path, "it is shorter than its own header");
  std::memcpy(&length, content.data(), sizeof length);
  if (length > content.size() - sizeof length) throw damaged(path, "the header is truncated");
  if (length > kLongestHeader) throw damaged(path, "the header is larger than 16 MiB");
  const std::string_view text = std::string_view(content).substr(sizeof length, length);
  const std::string_view payload = std::string_view(content).substr(sizeof length + length);
  Checkpoint checkpoint;
  checkpoint.path = path;
  try {
    Json header = parse_json(text);
    if (!header.is_object()) throw damaged(path, "the header " + json_problem(text, "is malformed"));
    checkpoint.texts = header.at("__metadata__").get<std::map<std::string, std::string>>();
    header["__metadata__"].erase(kHashKey);
    if (checkpoint.text(kHashKey) != hash_of(header, hash_text(payload)))
      throw damaged(path, "the content does not match its hash");
    checkpoint.texts.erase(kHashKey);
    std::uint64_t used = 0;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") continue;
      checkpoint.tensors.emplace_back(name, read_tensor(path, name, entry, payload));
      used += bytes_of(checkpoint.tensors.back().second).size();
      // Else a short file with a thousand names for one tensor would be a thousand times as large in memory.
      if (used > payload.size()) throw damaged(path, "tensor '" + name + "' overlaps another");
    }
  } catch (const Json::exception& error) {
    throw damaged(path, std::string("the header is malformed (") + error.what() + ")");
  }
  return checkpoint;
}

}  // namespace hyperllm::training
