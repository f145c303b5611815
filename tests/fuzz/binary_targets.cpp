#include "tests/fuzz/binary_targets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/importers/rdata_import.h"
#include "hyperllm/retrieval/model_files.h"
#include "hyperllm/importers/released.h"
#include "tests/support/npy_bytes.h"
#include "tests/support/r_bytes.h"

namespace hyperllm::fuzz {
namespace {

namespace fs = std::filesystem;
using namespace test::r;

// data.frame(user, item, rating) with a compact sequence, a factor, and doubles.
std::string r_frame() {
  const std::string info = u32(2) + symbol("compact_intseq") + u32(2) + symbol("base") + kNil;
  const std::string user = u32(238) + info + u32(14) + u32(3) + f64(3) + f64(1) + f64(1) + kNil;
  const std::string item = u32(13 | kAttributes) + u32(3) + u32(1) + u32(2) + u32(0x80000000) +
                           cell(symbol("levels"), texts({"x", "1"})) + kNil;
  const std::string title = u32(16) + u32(3) + chars("Heat") + chars("Am\xe9lie", 0x4000) + kNaString;
  const std::string rating = u32(14) + u32(3) + f64(4.5) + f64(1) + f64(3);
  return u32(19 | kAttributes) + u32(4) + user + item + title + rating +
         cell(symbol("names"), texts({"user_id", "item_id", "title", "rating"})) + kNil;
}

void read_r(const fs::path& path) {
  importers::ItemCollector items({"x", "1"});
  importers::RawInteractions raw;
  try {
    importers::read_r_items(path, "", {}, {}, items);
  } catch (const Error&) {  // the other reader may take it
  }
  importers::read_r_ratings(path, "", {}, {}, raw);
}

void add_r(std::vector<Target>& all) {
  // The frame without its NA, which ratings refuse.
  std::string frame = r_frame();
  const std::string na = u32(0x80000000);
  frame.replace(frame.find(na), na.size(), u32(1));
  const std::string rds = header() + frame, rda = "RDX2\n" + header() + cell(symbol("m"), frame) + kNil;
  all.push_back({"r_data", {rds, rda}, [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "m.rda", bytes);
                   read_r(folder / "m.rda");
                 }});
  all.push_back({"r_gzip", {rds, rda}, [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "m.rda", deflate_with(bytes, 15 + 16));
                   read_r(folder / "m.rda");
                 }});
  const std::string record = u32(1) + deflate_with(header() + frame, 15);
  const std::string place = u32(13) + u32(2) + u32(0) + u32(static_cast<std::uint32_t>(record.size()));
  const std::string index = header() + u32(19) + u32(1) + u32(19 | kAttributes) + u32(1) + place +
                            cell(symbol("names"), texts({""})) + kNil;
  all.push_back({"r_database", {index}, [record](const std::string& bytes, const fs::path& folder) {
                   put(folder / "m.rdb", record);
                   put(folder / "m.rdx", deflate_with(bytes, 15 + 16));
                   read_r(folder / "m.rdb");
                 }});
}

void add_matrices(std::vector<Target>& all) {
  using test::bytes_of, test::dict, test::npy;
  all.push_back({"npy",
                 {npy(dict("<f4", "(2, 2)"), bytes_of(std::vector<float>{1, 2, 3, 4})),
                  npy(dict("<f8", "(3,)"), bytes_of(std::vector<double>{1, 2, 3}), 2)},
                 [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "m.npy", bytes);
                   artifact::read_npy(folder / "m.npy");
                 }});
  const fs::path packed = test::pack_npz(
      fs::path(::testing::TempDir()) / ("fuzz-" + std::to_string(::getpid()) + ".npz"), test::npz_entries());
  std::string archive = read_file(packed);
  fs::remove(packed);
  all.push_back({"npz", {std::move(archive)}, [](const std::string& bytes, const fs::path& folder) {
                   put(folder / "m.npz", bytes);
                   artifact::read_scipy_csr(folder / "m.npz");
                 }});
  for (const auto& [entry, content] : test::npz_entries())
    all.push_back({"npz_" + entry.substr(0, entry.find('.')),
                   {content},
                   [entry = entry](const std::string& bytes, const fs::path& folder) {
                     test::NpzEntries entries = test::npz_entries();
                     entries[entry] = bytes;
                     artifact::read_scipy_csr(test::pack_npz(folder / "m.npz", entries));
                   }});
}

void add_models(std::vector<Target>& all) {
  all.push_back({"model",
                 {"{\"kind\": \"embeddings\", \"geometry\": \"lorentz\", \"curvature\": 1.5}",
                  "{\"kind\": \"embeddings\", \"geometry\": \"poincare\", \"curvature\": 1}",
                  "{\"kind\": \"popularity\"}"},
                 [](const std::string& bytes, const fs::path& folder) {
                   const data::Csr train = {2, 1, {0, 1, 1}, {0}};
                   if (!fs::exists(folder / "users.npy")) {
                     artifact::write_npy(folder / "users.npy", 2, 2, std::vector<float>{0.1F, 0.2F, 0, 0});
                     artifact::write_npy(folder / "items.npy", 1, 2, std::vector<float>{0.1F, 0.3F});
                     artifact::write_npy(folder / "item_scores.npy", 1, 1, std::vector<float>{1});
                   }
                   put(folder / "model.json", bytes);
                   retrieval::load_model(folder, train);
                 }});
  const char* const names[] = {"id_to_tag.json", "tag_to_item.json", "tag_to_tag.json"};
  const std::string good[] = {"{\"0\": \"a\", \"1\": \"b &amp; c\"}", "{\"0\": [0, 2], \"1\": []}",
                              "{\"0\": [1], \"1\": [0, 1]}"};
  for (std::size_t i = 0; i < 3; ++i)
    all.push_back(
        {std::string("released_") + std::string(names[i]).substr(0, std::string(names[i]).find('.')),
         {good[i]},
         [=](const std::string& bytes, const fs::path& folder) {
           if (!fs::exists(folder / "train_matrix.npz"))
             for (const char* matrix : {"train_matrix.npz", "val_matrix.npz", "test_matrix.npz"})
               test::pack_npz(folder / matrix, test::npz_entries());
           for (std::size_t j = 0; j < 3; ++j) put(folder / names[j], j == i ? bytes : good[j]);
           importers::Source source;
           importers::read_released(folder, source);
         }});
}

}  // namespace

std::vector<Target> binary_targets() {
  std::vector<Target> all;
  add_r(all);
  add_matrices(all);
  add_models(all);
  return all;
}

}  // namespace hyperllm::fuzz
