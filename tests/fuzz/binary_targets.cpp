#include "tests/fuzz/binary_targets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/importers/rdata_import.h"
#include "hyperllm/importers/released.h"
#include "hyperllm/importers/source.h"
#include "hyperllm/retrieval/model_files.h"
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

// "user_id,item_id,rating" and three rows, packed by Python's bz2, lzma and zipfile and by zstd.
const std::string kBzip2(
    "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xb2\x4f\xbf\xcd\x00\x00\x12\xdb\x80\x00\x10\x00"
    "\x04\x3e\x00\x00\x00\xa6\xa3\x1e\x60\x20\x00\x31\x40\xd3\x43\x23\x26\x20\xd5\x3d\x4f\x46"
    "\x93\x69\x18\xd3\xd2\x98\x6b\x31\x13\xe8\x77\xad\xdd\x02\x08\xda\x6c\x12\x60\x2d\x8b\x27"
    "\x72\xb3\x8a\x75\xf8\xbb\x92\x29\xc2\x84\x85\x92\x7d\xfe\x68",
    81);
const std::string kXz(
    "\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f"
    "\xe5\xa3\x01\x00\x28\x75\x73\x65\x72\x5f\x69\x64\x2c\x69\x74\x65\x6d\x5f\x69\x64\x2c\x72"
    "\x61\x74\x69\x6e\x67\x0a\x31\x2c\x78\x2c\x34\x0a\x32\x2c\x79\x2c\x35\x0a\x33\x2c\x78\x2c"
    "\x32\x0a\x00\x00\x00\x00\x0c\x94\x8f\x7d\xa3\xdb\x1b\x6b\x00\x01\x41\x29\x03\x53\x56\x8b"
    "\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a",
    100);
const std::string kZstd(
    "\x28\xb5\x2f\xfd\x04\x58\x49\x01\x00\x75\x73\x65\x72\x5f\x69\x64\x2c\x69\x74\x65\x6d\x5f"
    "\x69\x64\x2c\x72\x61\x74\x69\x6e\x67\x0a\x31\x2c\x78\x2c\x34\x0a\x32\x2c\x79\x2c\x35\x0a"
    "\x33\x2c\x78\x2c\x32\x0a\x4b\x24\x47\xb5",
    54);
const std::string kZip(
    "\x50\x4b\x03\x04\x14\x00\x00\x00\x08\x00\x4b\x99\x7d\x5d\xbb\xc6\x1c\xa2\x27\x00\x00\x00"
    "\x29\x00\x00\x00\x0d\x00\x00\x00\x61\x2f\x72\x61\x74\x69\x6e\x67\x73\x2e\x63\x73\x76\x2b"
    "\x2d\x4e\x2d\x8a\xcf\x4c\xd1\xc9\x2c\x49\xcd\x05\xd1\x45\x89\x25\x99\x79\xe9\x5c\x86\x3a"
    "\x15\x3a\x26\x5c\x46\x3a\x95\x3a\xa6\x5c\xc6\x40\xb6\x11\x17\x00\x50\x4b\x01\x02\x14\x03"
    "\x14\x00\x00\x00\x08\x00\x4b\x99\x7d\x5d\xbb\xc6\x1c\xa2\x27\x00\x00\x00\x29\x00\x00\x00"
    "\x0d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00\x61\x2f\x72\x61"
    "\x74\x69\x6e\x67\x73\x2e\x63\x73\x76\x50\x4b\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x3b"
    "\x00\x00\x00\x52\x00\x00\x00\x00\x00",
    163);

void read_any(const fs::path& path, const std::string& bytes) {
  put(path, bytes);
  importers::ImportOptions options;
  options.input = {path.string()};
  const importers::Source source = importers::read_source(options, {});
  if (!source.items.empty()) importers::read_item_texts(source, options, {"x", "1"}, {});
}

void add_packed(std::vector<Target>& all) {
  for (const auto& [name, bytes] :
       {std::pair("bzip2", kBzip2), std::pair("xz", kXz), std::pair("zstd", kZstd), std::pair("zip", kZip)})
    all.push_back({name, {bytes}, [](const std::string& mutant, const fs::path& folder) {
                     read_any(folder / "ratings", mutant);
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
  add_packed(all);
  add_models(all);
  return all;
}

}  // namespace hyperllm::fuzz
