#include "hyperllm/retrieval/model_files.h"

#include <algorithm>

#include "tests/support/folder.h"

namespace hyperllm::retrieval {
namespace {

using test::expect_error;

// Three users, four items.
const data::Csr kTrain = {3, 4, {0, 2, 2, 3}, {0, 2, 1}};
const artifact::Matrix kUsers = {3, 2, {0.1F, 0.2F, 0.3F, -0.1F, 0, 0.5F}};
const artifact::Matrix kItems = {4, 2, {0.2F, 0.1F, -0.4F, 0.3F, 0.6F, 0, 0, -0.2F}};

std::vector<float> scores_of(const Scorer& scorer) {
  const std::vector<std::int32_t> users = {0, 1, 2};
  std::vector<float> out(12);
  scorer.score(users, out);
  return out;
}

class ModelFiles : public test::FolderTest {
 protected:
  void describe(const std::string& json) const { put("model.json", json); }
  void expect_bad_description(const std::string& json, std::initializer_list<std::string_view> parts) const {
    SCOPED_TRACE(json);
    describe(json);
    expect_error(ErrorCode::kInvalidData, parts, [&] { load_model(folder_, kTrain); });
  }
};

TEST_F(ModelFiles, EveryGeometryComesBackAsItWas) {
  for (const Geometry geometry : {Geometry::kLorentz, Geometry::kPoincare, Geometry::kEuclidean}) {
    save_embeddings_model(folder_, {geometry, manifold::Curvature(1.5)}, kUsers, kItems);
    EXPECT_EQ(scores_of(*load_model(folder_, kTrain)),
              scores_of(*make_embedding_scorer({geometry, manifold::Curvature(1.5)}, kUsers.values,
                                               kItems.values, 2)));
  }
}

TEST_F(ModelFiles, ItemPointsOfEmbeddingsAlone) {
  save_embeddings_model(folder_, {Geometry::kPoincare, manifold::Curvature(1.5)}, kUsers, kItems);
  const auto points = load_item_points(folder_, 4);
  ASSERT_TRUE(points);
  EXPECT_EQ(points->space, (Space{Geometry::kPoincare, manifold::Curvature(1.5)}));
  EXPECT_EQ(points->rows.values, kItems.values);
  expect_error(ErrorCode::kInvalidData, {"items.npy", "4 x 2 values", "expected 5"},
               [&] { load_item_points(folder_, 5); });
  save_popularity_model(folder_, std::vector<float>{3, 1, 2, 0});
  EXPECT_FALSE(load_item_points(folder_, 4));
}

TEST_F(ModelFiles, PopularityComesBack) {
  save_popularity_model(folder_, std::vector<float>{3, 1, 2, 0});
  EXPECT_EQ(scores_of(*load_model(folder_, kTrain)),
            (std::vector<float>{3, 1, 2, 0, 3, 1, 2, 0, 3, 1, 2, 0}));
}

TEST_F(ModelFiles, ItemItemComesBackWithTheUsersHistories) {
  artifact::Matrix weights = {4, 4, std::vector<float>(16)};
  for (std::size_t i = 0; i < 16; ++i) weights.values[i] = static_cast<float>(i);
  save_item_item_model(folder_, weights);
  EXPECT_EQ(scores_of(*load_model(folder_, kTrain)),
            (std::vector<float>{8, 10, 12, 14, 0, 0, 0, 0, 4, 5, 6, 7}));
}

TEST_F(ModelFiles, SparseItemItemComesBackWithTheUsersHistories) {
  const SparseWeights weights{{4, 4, {0, 2, 2, 3, 3}, {1, 3, 0}}, {2, 0.5F, 4}};
  save_sparse_item_item_model(folder_, weights);
  EXPECT_EQ(scores_of(*load_model(folder_, kTrain)),
            (std::vector<float>{4, 2, 0, 0.5F, 0, 0, 0, 0, 0, 0, 0, 0}));
  save_sparse_item_item_model(folder_, {{4, 4, {0, 0, 0, 0, 0}, {}}, {}});
  EXPECT_EQ(scores_of(*load_model(folder_, kTrain)), std::vector<float>(12, 0));
}

TEST_F(ModelFiles, EntriesThatAreNone) {
  save_sparse_item_item_model(folder_, {{4, 4, {0, 0, 0, 0, 0}, {}}, {}});
  const auto refuses = [&](std::vector<float> entries, std::int64_t columns, const char* problem) {
    artifact::write_npy(folder_ / "entries.npy", std::ssize(entries) / columns, columns, entries);
    expect_error(ErrorCode::kInvalidData, {"entries.npy", problem}, [&] { load_model(folder_, kTrain); });
  };
  refuses({0, 1}, 2, "is not row, column, weight");
  refuses({0, 1, 1, 4, 0, 1}, 3, "entry 1 names no item of the 4");
  refuses({0, 4, 1}, 3, "entry 0 names no item");
  refuses({-1, 0, 1}, 3, "entry 0 names no item");
  refuses({0, 0.5F, 1}, 3, "entry 0 names no item");
  refuses({0, 2, 1, 0, 1, 1}, 3, "entry 1 does not come after");
  refuses({1, 2, 1, 1, 2, 1}, 3, "entry 1 does not come after");
  save_sparse_item_item_model(folder_, {{3, 3, {0, 0, 0, 1}, {2}}, {1}});
  expect_error(ErrorCode::kInvalidData, {"model.json", "field 'items'", "the dataset's number, 4"},
               [&] { load_model(folder_, kTrain); });
  expect_bad_description(R"({"kind": "sparse_item_item"})", {"field 'items'"});
}

TEST_F(ModelFiles, FolderWithoutModel) {
  expect_error(ErrorCode::kIo, {"model.json: No such file", "train first"},
               [&] { load_model(folder_ / "nowhere", kTrain); });
}

TEST_F(ModelFiles, BadDescriptions) {
  expect_bad_description("{\"kind\": \"embed", {"model.json", "is not a JSON object"});
  expect_bad_description("[]", {"is not a JSON object"});
  expect_bad_description("{}", {"field 'kind': is missing", "embeddings, popularity, item_item"});
  expect_bad_description(R"({"kind": 3})", {"field 'kind'"});
  expect_bad_description(R"({"kind": "popularty"})",
                         {"'popularty' is unknown", "Did you mean 'popularity'?"});
  expect_bad_description(R"({"kind": "embeddings"})", {"field 'geometry'", "lorentz, poincare, euclidean"});
  expect_bad_description(R"({"kind": "embeddings", "geometry": "lorenz", "curvature": 1})",
                         {"field 'geometry'", "Did you mean 'lorentz'?"});
  for (const char* curvature : {"", R"(, "curvature": 0)", R"(, "curvature": "1")", R"(, "curvature": -2)"})
    expect_bad_description(R"({"kind": "embeddings", "geometry": "lorentz")" + std::string(curvature) + "}",
                           {"field 'curvature'", "positive number"});
}

TEST_F(ModelFiles, ShapesThatDoNotFitTheDataset) {
  save_embeddings_model(folder_, {Geometry::kLorentz}, kItems, kItems);
  expect_error(ErrorCode::kInvalidData, {"users.npy", "has 4 x 2 values, expected 3", "another dataset"},
               [&] { load_model(folder_, kTrain); });
  save_embeddings_model(folder_, {Geometry::kLorentz}, kUsers, kUsers);
  expect_error(ErrorCode::kInvalidData, {"items.npy", "has 3 x 2 values, expected 4 x 2"},
               [&] { load_model(folder_, kTrain); });
  save_embeddings_model(folder_, {Geometry::kLorentz}, {3, 1, {1, 2, 3}}, kItems);
  expect_error(ErrorCode::kInvalidData, {"items.npy", "expected 4 x 1"},
               [&] { load_model(folder_, kTrain); });
  save_popularity_model(folder_, std::vector<float>{1, 2});
  expect_error(ErrorCode::kInvalidData, {"item_scores.npy", "expected 4 x 1"},
               [&] { load_model(folder_, kTrain); });
  save_item_item_model(folder_, kItems);
  expect_error(ErrorCode::kInvalidData, {"weights.npy", "expected 4 x 4"},
               [&] { load_model(folder_, kTrain); });
}

TEST_F(ModelFiles, NonFiniteEmbedding) {
  artifact::Matrix bad = kUsers;
  bad.values[3] = std::numeric_limits<float>::quiet_NaN();
  save_embeddings_model(folder_, {Geometry::kLorentz}, bad, kItems);
  expect_error(ErrorCode::kInvalidData, {"users.npy"}, [&] { load_model(folder_, kTrain); });
}

TEST_F(ModelFiles, TruncatedMatrix) {
  save_embeddings_model(folder_, {Geometry::kLorentz}, kUsers, kItems);
  std::filesystem::resize_file(folder_ / "items.npy", std::filesystem::file_size(folder_ / "items.npy") - 3);
  expect_error(ErrorCode::kInvalidData, {"items.npy"}, [&] { load_model(folder_, kTrain); });
}

TEST_F(ModelFiles, MissingMatrix) {
  save_embeddings_model(folder_, {Geometry::kLorentz}, kUsers, kItems);
  std::filesystem::remove(folder_ / "items.npy");
  expect_error(ErrorCode::kIo, {"items.npy"}, [&] { load_model(folder_, kTrain); });
}

TEST_F(ModelFiles, PointOutsideThePoincareBall) {
  artifact::Matrix far = kItems;
  far.values[2] = 2;
  save_embeddings_model(folder_, {Geometry::kPoincare}, kUsers, far);
  expect_error(ErrorCode::kInvalidData, {folder_.string(), "item 1 lies outside the Poincare ball"},
               [&] { load_model(folder_, kTrain); });
}

}  // namespace
}  // namespace hyperllm::retrieval
