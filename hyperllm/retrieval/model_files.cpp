#include "hyperllm/retrieval/model_files.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/hash.h"
#include "hyperllm/base/json.h"
#include "hyperllm/retrieval/fusion.h"

namespace hyperllm::retrieval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::vector<std::string> kGeometries = {"lorentz", "poincare", "euclidean"};  // in the enum's order
const std::vector<std::string> kKinds = {"embeddings", "popularity", "item_item", "sparse_item_item",
                                         "fusion"};

std::vector<std::string> matrices_of(const std::string& kind) {
  if (kind == "embeddings") return {"users.npy", "items.npy"};
  if (kind == "popularity") return {"item_scores.npy"};
  if (kind == "item_item") return {"weights.npy"};
  if (kind == "sparse_item_item") return {"entries.npy"};
  return {};
}

constexpr std::int64_t kMostSparseItems = 1 << 24;

// Owns the matrices that the scorer inside looks at.
class LoadedEmbeddings final : public Scorer {
 public:
  LoadedEmbeddings(const Space& space, artifact::Matrix users, artifact::Matrix items)
      : users_(std::move(users)),
        items_(std::move(items)),
        scorer_(make_embedding_scorer(space, users_.values, items_.values, users_.cols)) {}
  std::int64_t num_users() const override { return scorer_->num_users(); }
  std::int64_t num_items() const override { return scorer_->num_items(); }
  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    scorer_->score(users, out);
  }
  const InnerProducts* inner_products() const override { return scorer_->inner_products(); }

 private:
  artifact::Matrix users_, items_;
  std::unique_ptr<Scorer> scorer_;
};

void add_description(FileSet& files, const std::string& prefix, const Json& description) {
  files.add(prefix + "model.json").write(description.dump() + "\n");
}

void add_matrix(FileSet& files, const std::string& name, const artifact::Matrix& matrix) {
  artifact::write_npy(files.add(name), matrix.rows, matrix.cols, matrix.values);
}

[[noreturn]] void bad_description(const fs::path& file, const std::string& field, const std::string& problem,
                                  const std::string& remedy) {
  throw data_error(file.string(), 0, field, problem, remedy);
}

Json read_description(const fs::path& file) {
  HYPERLLM_CHECK(fs::exists(file), ErrorCode::kIo,
                 file.string() + ": No such file. Give the folder of a finished run, or train first.");
  const std::string text = read_file(file);
  Json description = parse_json(text);
  if (!description.is_object())
    bad_description(file, "", json_problem(text, "is not a JSON object"),
                    "Train again, or restore the file.");
  return description;
}

Json read_model(const fs::path& folder) {
  finish_commit(folder_of(folder));  // of the run, or of a folder that holds nothing but the model
  finish_commit(folder);
  return read_description(folder / "model.json");
}

std::string read_word(const Json& description, const char* field, const std::vector<std::string>& known,
                      const fs::path& file) {
  std::string list;
  for (const std::string& word : known) list += (list.empty() ? "" : ", ") + word;
  const auto found = description.find(field);
  if (found == description.end() || !found->is_string())
    bad_description(file, field, "is missing or not a word", "Give one of " + list + ".");
  const auto word = found->get<std::string>();
  if (std::find(known.begin(), known.end(), word) == known.end()) {
    const std::string near = nearest_word(word, known);
    bad_description(file, field, "'" + word + "' is unknown",
                    near.empty() ? "Give one of " + list + "." : "Did you mean '" + near + "'?");
  }
  return word;
}

Geometry read_geometry(const Json& description, const fs::path& file) {
  const std::string word = read_word(description, "geometry", kGeometries, file);
  return static_cast<Geometry>(std::find(kGeometries.begin(), kGeometries.end(), word) - kGeometries.begin());
}

manifold::Curvature read_curvature(const Json& description, const fs::path& file) {
  const auto found = description.find("curvature");
  if (found != description.end() && found->is_number()) try {
      return manifold::Curvature(found->get<double>());
    } catch (const Error&) {  // said below, with the file's name
    }
  bad_description(file, "curvature", "is missing or not a positive number", "Give a number such as 1.");
}

artifact::Matrix read_matrix(const fs::path& file, std::int64_t rows, std::int64_t cols,
                             const char* meaning) {
  artifact::Matrix matrix = artifact::read_npy(file);
  if (matrix.rows != rows || (cols >= 0 && matrix.cols != cols) || matrix.cols < 1)
    throw data_error(file.string(), 0, "",
                     "has " + std::to_string(matrix.rows) + " x " + std::to_string(matrix.cols) +
                         " values, expected " + std::to_string(rows) + " x " +
                         (cols >= 0 ? std::to_string(cols) : "the dimension") + " (" + meaning + ")",
                     "The model belongs to another dataset: use the dataset folder that it was trained on.");
  return matrix;
}

Space read_space(const Json& description, const fs::path& file) {
  Space space{read_geometry(description, file)};
  if (space.geometry != Geometry::kEuclidean) space.curvature = read_curvature(description, file);
  return space;
}

std::unique_ptr<Scorer> load_embeddings(const fs::path& folder, const Json& description,
                                        const data::Csr& train) {
  const Space space = read_space(description, folder / "model.json");
  artifact::Matrix users = read_matrix(folder / "users.npy", train.rows, -1, "one row a user");
  artifact::Matrix items = read_matrix(folder / "items.npy", train.cols, users.cols, "one row an item");
  try {
    return std::make_unique<LoadedEmbeddings>(space, std::move(users), std::move(items));
  } catch (const Error& error) {
    throw Error(ErrorCode::kInvalidData, folder.string() + ": " + error.what());
  }
}

[[noreturn]] void bad_entry(const fs::path& file, std::int64_t entry, const std::string& problem) {
  throw data_error(file.string(), 0, "", "entry " + std::to_string(entry) + " " + problem,
                   "Train again, or restore the file.");
}

SparseWeights read_entries(const fs::path& folder, const Json& description, std::int64_t items) {
  const fs::path file = folder / "entries.npy";
  if (!description.contains("items") || description["items"] != items)
    bad_description(folder / "model.json", "items", "is not the dataset's number, " + std::to_string(items),
                    "The model belongs to another dataset: use the dataset folder that it was trained on.");
  const artifact::Matrix entries = artifact::read_npy(file);
  if (entries.cols != 3) bad_entry(file, 0, "is not row, column, weight");
  SparseWeights weights;
  weights.links = {items, items, std::vector<std::int64_t>(static_cast<std::size_t>(items) + 1, 0), {}};
  std::pair<float, float> before(-1, 0);
  for (std::int64_t e = 0; e < entries.rows; ++e) {
    const auto entry = entries.row(e);
    const auto is_id = [&](float id) {
      return id >= 0 && id < static_cast<float>(items) && id == std::floor(id);
    };
    if (!is_id(entry[0]) || !is_id(entry[1]))
      bad_entry(file, e, "names no item of the " + std::to_string(items) + " in the dataset");
    const std::pair<float, float> place(entry[0], entry[1]);
    if (place <= before) bad_entry(file, e, "does not come after the one before it");
    before = place;
    ++weights.links.indptr[static_cast<std::size_t>(entry[0]) + 1];
    weights.links.indices.push_back(static_cast<std::int32_t>(entry[1]));
    weights.values.push_back(entry[2]);
  }
  for (std::int64_t i = 0; i < items; ++i) weights.links.indptr[i + 1] += weights.links.indptr[i];
  return weights;
}

[[noreturn]] void member_changed(const fs::path& run, const fs::path& file, const std::string& problem) {
  throw data_error(file.string(), 0, "", problem + " since the fusion of " + run.string() + " was made",
                   "Train the fusion again, or restore the file.");
}

// The model of one member, whose files must be those that the fusion was made of.
std::unique_ptr<Scorer> load_member(const fs::path& fusion, const Json& member, const fs::path& file,
                                    const data::Csr& train) {
  const auto is = [&](const char* field, auto holds) {
    return member.contains(field) && holds(member[field]);
  };
  if (!member.is_object() || !is("run", [](const Json& value) { return value.is_string(); }) ||
      !is("weight", [](const Json& value) { return value.is_number_unsigned(); }) ||
      !is("files", [](const Json& value) { return value.contains("model.json"); }))
    bad_description(file, "members", "is not a list of run, weight and files",
                    "Train again, or restore the file.");
  const fs::path model = fusion / member["run"].get<std::string>() / "model";
  const fs::path run = folder_of(fusion);
  for (const auto& [name, hash] : member["files"].items()) {
    const fs::path part = model / fs::path(name).filename();
    if (!fs::exists(part)) member_changed(run, part, "is gone");
    if (hash != hash_file(part)) member_changed(run, part, "has changed");
  }
  return load_model(model, train);
}

std::unique_ptr<Scorer> load_fusion(const fs::path& folder, const Json& description, const data::Csr& train) {
  const fs::path file = folder / "model.json";
  const auto found = description.find("members");
  if (found == description.end() || !found->is_array() || found->empty())
    bad_description(file, "members", "is missing or not a list", "Train again, or restore the file.");
  std::vector<Member> members;
  for (const Json& member : *found) {
    std::unique_ptr<Scorer> scorer = load_member(folder, member, file, train);
    members.push_back({std::move(scorer), member["weight"].get<double>()});
  }
  return make_fusion_scorer(std::move(members));
}

}  // namespace

void add_embeddings_model(FileSet& files, const std::string& prefix, const Space& space,
                          const artifact::Matrix& users, const artifact::Matrix& items) {
  add_matrix(files, prefix + "users.npy", users);
  add_matrix(files, prefix + "items.npy", items);
  add_description(files, prefix,
                  {{"kind", "embeddings"},
                   {"geometry", kGeometries[static_cast<std::size_t>(space.geometry)]},
                   {"curvature", space.curvature.c}});
}

void add_popularity_model(FileSet& files, const std::string& prefix, std::span<const float> item_scores) {
  artifact::write_npy(files.add(prefix + "item_scores.npy"), std::ssize(item_scores), 1, item_scores);
  add_description(files, prefix, {{"kind", "popularity"}});
}

void add_item_item_model(FileSet& files, const std::string& prefix, const artifact::Matrix& weights) {
  add_matrix(files, prefix + "weights.npy", weights);
  add_description(files, prefix, {{"kind", "item_item"}});
}

void add_sparse_item_item_model(FileSet& files, const std::string& prefix, const SparseWeights& weights) {
  HYPERLLM_CHECK(weights.links.rows <= kMostSparseItems, ErrorCode::kInvalidArgument,
                 std::to_string(weights.links.rows) +
                     " items are more than a sparse item-item model holds, " +
                     std::to_string(kMostSparseItems));
  artifact::Matrix entries{weights.links.nnz(), 3, {}};
  entries.values.reserve(static_cast<std::size_t>(3 * entries.rows));
  for (std::int64_t row = 0; row < weights.links.rows; ++row)
    for (std::int64_t e = weights.links.indptr[row]; e < weights.links.indptr[row + 1]; ++e)
      for (const float value :
           {static_cast<float>(row), static_cast<float>(weights.links.indices[e]), weights.values[e]})
        entries.values.push_back(value);
  add_matrix(files, prefix + "entries.npy", entries);
  add_description(files, prefix, {{"kind", "sparse_item_item"}, {"items", weights.links.rows}});
}

void add_fusion_model(FileSet& files, const std::string& prefix, const std::vector<FusionMember>& members) {
  const fs::path own = fs::weakly_canonical(files.folder() / prefix / "model.json").parent_path();
  Json list = Json::array();
  for (const FusionMember& member : members) {
    Json hashes;
    for (const fs::path& file : model_files(member.run / "model"))
      hashes[file.filename().string()] = hash_file(file);
    const fs::path run = fs::weakly_canonical(member.run / "model").parent_path();
    list.push_back({{"run", run.lexically_relative(own).string()},
                    {"weight", member.weight},
                    {"files", std::move(hashes)}});
  }
  add_description(files, prefix, {{"kind", "fusion"}, {"members", std::move(list)}});
}

void save_embeddings_model(const fs::path& folder, const Space& space, const artifact::Matrix& users,
                           const artifact::Matrix& items) {
  FileSet files(folder);
  add_embeddings_model(files, "", space, users, items);
  files.commit();
}

void save_popularity_model(const fs::path& folder, std::span<const float> item_scores) {
  FileSet files(folder);
  add_popularity_model(files, "", item_scores);
  files.commit();
}

void save_item_item_model(const fs::path& folder, const artifact::Matrix& weights) {
  FileSet files(folder);
  add_item_item_model(files, "", weights);
  files.commit();
}

void save_sparse_item_item_model(const fs::path& folder, const SparseWeights& weights) {
  FileSet files(folder);
  add_sparse_item_item_model(files, "", weights);
  files.commit();
}

std::vector<fs::path> model_files(const fs::path& folder) {
  finish_commit(folder_of(folder));
  finish_commit(folder);
  const fs::path file = folder / "model.json";
  std::vector<fs::path> files = {file};
  for (const std::string& name : matrices_of(read_word(read_description(file), "kind", kKinds, file)))
    files.push_back(folder / name);
  return files;
}

std::optional<ItemPoints> load_item_points(const fs::path& folder, std::int64_t items) {
  const Json description = read_model(folder);
  const fs::path file = folder / "model.json";
  if (read_word(description, "kind", kKinds, file) != "embeddings") return std::nullopt;
  return ItemPoints{read_space(description, file),
                    read_matrix(folder / "items.npy", items, -1, "one row an item")};
}

std::unique_ptr<Scorer> load_model(const fs::path& folder, const data::Csr& train) {
  const Json description = read_model(folder);
  const fs::path file = folder / "model.json";
  const std::string kind = read_word(description, "kind", kKinds, file);
  if (kind == "embeddings") return load_embeddings(folder, description, train);
  if (kind == "fusion") return load_fusion(folder, description, train);
  if (kind == "popularity")
    return make_popularity_scorer(
        read_matrix(folder / "item_scores.npy", train.cols, 1, "one score an item").values, train.rows);
  if (kind == "sparse_item_item")
    return make_sparse_item_item_scorer(read_entries(folder, description, train.cols), train);
  return make_item_item_scorer(
      read_matrix(folder / "weights.npy", train.cols, train.cols, "items x items").values, train);
}

}  // namespace hyperllm::retrieval
