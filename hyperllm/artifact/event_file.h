// Event files, which TensorBoard shows while a training goes on; W&B and MLflow read them too.
//
// A file is TFRecords (length, masked CRC32C of it, bytes, masked CRC32C of them), each a protocol buffer
// Event of TensorFlow. It holds times of the clock: no manifest, no hash knows it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hyperllm::artifact {

class EventFile {
 public:
  // Makes FOLDER/events.out.tfevents.SECONDS.HOST.PID, a new file each time, and says in it that what earlier
  // files of the folder hold of `first_step` and later counts no more, which is how TensorBoard follows a
  // training that was stopped and continued. Throws kIo.
  EventFile(const std::filesystem::path& folder, std::int64_t first_step);

  // Adds values of one step, and writes them at once. Throws kIo.
  void add(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars);

  const std::filesystem::path& path() const { return path_; }

 private:
  void append(std::string_view event);
  std::filesystem::path path_;
};

}  // namespace hyperllm::artifact
