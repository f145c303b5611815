#include "hyperllm/stages/train/semantic.h"

#include <cstring>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/artifact/npy_header.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/files.h"
#include "hyperllm/manifold/reference.h"

namespace hyperllm::stages::train {
namespace {

artifact::Matrix read_rows(const std::filesystem::path& file, std::int64_t rows, const char* what) {
  artifact::Matrix matrix = artifact::read_npy(file);
  if (matrix.rows != rows)
    throw data_error(
        file.string(), 0, "",
        "has " + std::to_string(matrix.rows) + " rows, the dataset has " + std::to_string(rows) + " " + what,
        "Make the embeddings for this dataset, one row for each line of " + std::string(what) + ".tsv.");
  return matrix;
}

}  // namespace

void require_embeddings(const std::filesystem::path& folder) {
  finish_commit(folder);
  const std::string remedy =
      folder.filename() == "phase1"
          ? "Phase 1 of a run writes them: train " + folder.parent_path().string() + " again"
          : "Run `hyperllm embed` first, which makes them, or choose what needs none: the framework hyperllm "
            "in its variant base or structural, or the model ease with ease_embedding_weight 0";
  for (const char* file : {"users.npy", "items.npy"})
    HYPERLLM_CHECK(std::filesystem::exists(folder / file), ErrorCode::kIo,
                   (folder / file).string() + ": no such embeddings. " + remedy + ".");
}

std::int64_t semantic_columns(const std::filesystem::path& folder) {
  std::string head(artifact::kNpyLongestHeader, '\0');
  try {
    const InputFile file = open_input(folder / "users.npy");
    head.resize(std::fread(head.data(), 1, head.size(), file.get()));
    const artifact::NpyHeader header = artifact::parse_npy_header(head, "users.npy");
    return header.shape.size() == 2 ? header.shape[1] : 0;
  } catch (const Error&) {  // load_semantic says what is wrong
    return 0;
  }
}

torch::Tensor load_semantic(const std::filesystem::path& folder, const data::Dataset& dataset) {
  require_embeddings(folder);
  const artifact::Matrix users = read_rows(folder / "users.npy", dataset.num_users(), "users");
  const artifact::Matrix items = read_rows(folder / "items.npy", dataset.num_items(), "items");
  if (users.cols != items.cols)
    throw data_error(
        (folder / "items.npy").string(), 0, "",
        "has " + std::to_string(items.cols) + " columns, users.npy has " + std::to_string(users.cols),
        "Encode users and items with the same encoder.");
  torch::Tensor stacked = torch::empty({users.rows + items.rows, users.cols});
  std::memcpy(stacked.data_ptr<float>(), users.values.data(), users.values.size() * sizeof(float));
  std::memcpy(stacked.data_ptr<float>() + users.values.size(), items.values.data(),
              items.values.size() * sizeof(float));
  return stacked;
}

artifact::Matrix load_item_embeddings(const std::filesystem::path& folder, const data::Dataset& dataset) {
  require_embeddings(folder);
  return read_rows(folder / "items.npy", dataset.num_items(), "items");
}

torch::Tensor load_initial_tangents(const std::filesystem::path& folder, const data::Dataset& dataset,
                                    std::int64_t dim, double max_radius, manifold::Curvature curvature) {
  const torch::Tensor loaded = load_semantic(folder, dataset);
  if (loaded.size(1) == dim) return loaded;
  if (loaded.size(1) != dim + 1)
    throw data_error(
        (folder / "users.npy").string(), 0, "",
        "has " + std::to_string(loaded.size(1)) + " columns, 'dim' is " + std::to_string(dim),
        "Give dim " + std::to_string(loaded.size(1)) + " (or one less if column 0 is a time coordinate).");
  const double scale = std::sqrt(curvature.c);
  const torch::Tensor wide = loaded.to(torch::kDouble);
  const torch::Tensor time = wide.narrow(1, 0, 1), space = wide.narrow(1, 1, dim);
  const torch::Tensor length = (manifold::row_dot(space, space) - time.square()).clamp_min(1e-12).sqrt();
  const torch::Tensor point = torch::sinh(scale * length.clamp_max(max_radius)) / (scale * length) * space;
  return manifold::reference::logmap0(point, curvature.c).to(torch::kFloat);
}

}  // namespace hyperllm::stages::train
