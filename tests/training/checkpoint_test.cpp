#include "hyperllm/training/checkpoint.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "hyperllm/base/hash.h"
#include "tests/support/folder.h"

namespace hyperllm::training {
namespace {

using nlohmann::json;

class CheckpointTest : public test::FolderTest {
 protected:
  const std::filesystem::path path() const { return folder_ / "run.safetensors"; }

  std::string saved() const {
    Checkpoint checkpoint;
    checkpoint.texts = {{"epoch", "3"}, {"note", "a \"quoted\" \u00e4"}};
    checkpoint.tensors = {{"b", torch::tensor({1.5F, -2.25F, 3.0F, 4.0F, 5.0F, 6.0F}).view({2, 3})},
                          {"a", torch::tensor({7.0F})},
                          {"none", torch::empty({0, 4})}};
    save_checkpoint(checkpoint, path());
    return read_file(path());
  }

  static json header_of(const std::string& content) {
    std::uint64_t length = 0;
    std::memcpy(&length, content.data(), 8);
    return json::parse(content.substr(8, length));
  }

  // The file with another header (its hash left as it was, unless the header says otherwise).
  void put_header(const std::string& content, const std::string& header) const {
    std::uint64_t length = 0;
    std::memcpy(&length, content.data(), 8);
    const std::string payload = content.substr(8 + length);
    const std::uint64_t own = header.size();
    put("run.safetensors", std::string(reinterpret_cast<const char*>(&own), 8) + header + payload);
  }

  void expect_damaged(std::initializer_list<std::string_view> parts) const {
    test::expect_error(ErrorCode::kInvalidData,
                       {"run.safetensors", "not a usable checkpoint",
                        "Delete the file to start this run afresh", "restore it from a copy"},
                       [&] { load_checkpoint(path()); });
    test::expect_error(ErrorCode::kInvalidData, parts, [&] { load_checkpoint(path()); });
  }
};

TEST_F(CheckpointTest, WhatIsSavedIsLoaded) {
  saved();
  const Checkpoint loaded = load_checkpoint(path());
  EXPECT_EQ(loaded.texts.size(), 2u) << "the hash is not the caller's business";
  EXPECT_EQ(loaded.text("epoch"), "3");
  EXPECT_EQ(loaded.text("note"), "a \"quoted\" \u00e4");
  EXPECT_EQ(loaded.tensors.size(), 3u);
  EXPECT_EQ(loaded.tensor("b").sizes().vec(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(loaded.tensor("b")[0][1].item<float>(), -2.25F);
  EXPECT_EQ(loaded.tensor("b")[1][2].item<float>(), 6.0F);
  EXPECT_EQ(loaded.tensor("none").sizes().vec(), (std::vector<std::int64_t>{0, 4}));
}

TEST_F(CheckpointTest, SavingTwiceGivesTheSameBytes) { EXPECT_EQ(saved(), saved()); }

// The layout as safetensors' own documentation gives it, read by hand.
TEST_F(CheckpointTest, TheFileIsASafetensorsFile) {
  const std::string content = saved();
  std::uint64_t length = 0;
  for (int byte = 7; byte >= 0; --byte) length = length << 8 | static_cast<unsigned char>(content[byte]);
  EXPECT_EQ(length % 8, 0u) << "the payload is aligned";
  ASSERT_EQ(content[8], '{');
  const json header = header_of(content);
  for (const auto& [key, value] : header.at("__metadata__").items()) EXPECT_TRUE(value.is_string()) << key;
  EXPECT_EQ(header.at("b").at("dtype"), "F32");
  EXPECT_EQ(header.at("b").at("shape"), json({2, 3}));
  EXPECT_EQ(header.at("b").at("data_offsets"), json({0, 24}));
  EXPECT_EQ(header.at("a").at("data_offsets"), json({24, 28}));
  EXPECT_EQ(header.at("none").at("data_offsets"), json({28, 28}));
  EXPECT_EQ(content.size(), 8 + length + 28) << "no byte that the header does not account for";
  float second = 0;
  std::memcpy(&second, content.data() + 8 + length + 4, 4);
  EXPECT_EQ(second, -2.25F);
}

TEST_F(CheckpointTest, TruncatedAnywhereIsRefused) {
  const std::string content = saved();
  for (std::size_t length = 0; length < content.size(); ++length) {
    put("run.safetensors", content.substr(0, length));
    expect_damaged({});
  }
}

TEST_F(CheckpointTest, AFlippedByteIsRefusedOrHarmless) {
  const std::string content = saved();
  saved();
  const Checkpoint good = load_checkpoint(path());
  std::int64_t harmless = 0;
  for (std::size_t at = 0; at < content.size(); ++at)
    for (const char flip : {1, 32}) {
      std::string changed = content;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      put("run.safetensors", changed);
      try {
        const Checkpoint loaded = load_checkpoint(path());
        EXPECT_EQ(loaded.texts, good.texts) << "byte " << at;
        ASSERT_EQ(loaded.tensors.size(), good.tensors.size()) << "byte " << at;
        for (const auto& [name, tensor] : good.tensors)
          EXPECT_TRUE(torch::equal(loaded.tensor(name), tensor)) << name << ", byte " << at;
        ++harmless;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << error.what();
      }
    }
  EXPECT_LE(harmless, 16) << "only the blanks after the header may change";
}

TEST_F(CheckpointTest, AHugeHeaderLengthIsRefusedWithoutAllocatingIt) {
  std::string content = saved();
  for (const std::uint64_t length :
       {~std::uint64_t{0}, std::uint64_t{1} << 62, std::uint64_t{content.size()}}) {
    std::memcpy(content.data(), &length, 8);
    put("run.safetensors", content);
    expect_damaged({"the header is truncated"});
  }
}

TEST_F(CheckpointTest, ShapesAndOffsetsThatLieAreRefusedEvenWithTheRightHash) {
  const std::string content = saved();
  const auto change = [&](const char* field, const json& value, std::string_view problem) {
    json header = header_of(content);
    header["b"][field] = value;
    put_header(content, header.dump());
    expect_damaged({"does not match its hash"});
    header["__metadata__"].erase("xxh3");
    const std::string payload = content.substr(content.size() - 28);
    header["__metadata__"]["xxh3"] = hash_text(header.dump() + hash_text(payload));
    put_header(content, header.dump());
    expect_damaged({problem});
  };
  const std::int64_t huge = std::int64_t{1} << 62;
  change("shape", {2, 4}, "tensor 'b' does not fit its bytes");
  change("shape", {-2, -3}, "tensor 'b' has an impossible shape");
  change("shape", {huge, 4}, "tensor 'b' has an impossible shape");
  change("shape", {0, huge, huge}, "tensor 'b' has an impossible shape");
  change("shape", std::vector<std::int64_t>(100, 1), "tensor 'b' has an impossible shape");
  change("data_offsets", {8, 32}, "tensor 'b' does not fit its bytes");
  change("data_offsets", {24, 0}, "tensor 'b' does not fit its bytes");
  change("dtype", "F64", "tensor 'b' does not fit its bytes");
  change("shape", "wide", "the header is malformed");
  change("data_offsets", {0}, "the header is malformed");
}

TEST_F(CheckpointTest, AHeaderThatIsNoneIsRefused) {
  const std::string content = saved();
  for (const char* header :
       {"", "{", "[]", "3", "{}", "{\"__metadata__\": 3}", "{\"__metadata__\": {\"xxh3\": 1}}"}) {
    put_header(content, header);
    expect_damaged({});
  }
  put_header(content, "{\"__metadata__\": {}}");
  expect_damaged({"entry 'xxh3' is missing"});
}

// Parsing such a header is no trouble; writing it again, to hash it, recursed through the stack.
TEST_F(CheckpointTest, AHeaderThatNestsDeepIsRefused) {
  const std::string content = saved();
  for (const std::string name : {"b", "__metadata__"}) {
    const std::size_t depth = 400'000;
    put_header(content, "{\"" + name + "\":" + std::string(depth, '[') + std::string(depth, ']') + "}");
    expect_damaged({"the header nests deeper than 256 levels"});
  }
}

TEST_F(CheckpointTest, AHeaderOfManyMegabytesIsRefused) {
  put_header(saved(), "{\"b\":[" + std::string(17 << 20, ' ') + "]}");
  expect_damaged({"the header is larger than 16 MiB"});
}

// A thousand names for the same bytes would take a thousand times the file's size.
TEST_F(CheckpointTest, TensorsThatShareBytesAreRefused) {
  const std::string payload(1000 * sizeof(float), '\0');
  json header;
  for (int i = 0; i < 1000; ++i)
    header["t" + std::to_string(i)] = {
        {"dtype", "F32"}, {"shape", {1000}}, {"data_offsets", {0, payload.size()}}};
  header["__metadata__"] = json::object();
  header["__metadata__"]["xxh3"] = hash_text(header.dump() + hash_text(payload));
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  put("run.safetensors", std::string(reinterpret_cast<const char*>(&length), 8) + text + payload);
  expect_damaged({"overlaps another"});
}

TEST_F(CheckpointTest, TextsThatAreNoNumbersAreRefused) {
  Checkpoint checkpoint;
  checkpoint.path = path();
  const auto refuse = [&](const std::string& text, std::string_view problem, auto read) {
    checkpoint.texts["k"] = text;
    test::expect_error(ErrorCode::kInvalidData,
                       {"run.safetensors", "entry 'k' is not", problem, "Delete the file"},
                       [&] { read(checkpoint); });
  };
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  for (const std::string& text :
       {std::string("abc"), std::string(""), std::string("-1"), std::string("1.5"), std::string("1e3"),
        std::string("99999999999999999999"), std::string("9223372036854775808"), std::string("[3]"), deep})
    refuse(text, "a whole number of at least 0", [](const Checkpoint& c) { c.count("k"); });
  for (const std::string& text : {std::string("null"), std::string("\"1\""), std::string("1e999"), deep})
    refuse(text, "a number", [](const Checkpoint& c) { c.number("k"); });
  for (const std::string& text : {std::string("{}"), std::string("[[1, 2]]"), std::string("[[\"a\"]]"),
                                  std::string("[[\"a\", null]]"), deep})
    refuse(text, "a list of names and numbers", [](const Checkpoint& c) { c.numbers("k"); });
  checkpoint.texts["k"] = "17";
  EXPECT_EQ(checkpoint.count("k"), 17);
  checkpoint.texts["k"] = "-2.5";
  EXPECT_EQ(checkpoint.number("k"), -2.5);
  checkpoint.texts["k"] = "[[\"b\", 1], [\"a\", 0.5]]";
  EXPECT_EQ(checkpoint.numbers("k"), (std::vector<std::pair<std::string, double>>{{"b", 1}, {"a", 0.5}}));
}

TEST_F(CheckpointTest, AMissingEntryIsNamedWithTheFile) {
  saved();
  const Checkpoint loaded = load_checkpoint(path());
  test::expect_error(ErrorCode::kInvalidData,
                     {"run.safetensors", "entry 'steps' is missing", "Delete the file"},
                     [&] { loaded.text("steps"); });
  test::expect_error(ErrorCode::kInvalidData, {"run.safetensors", "tensor 'c' is missing", "Delete the file"},
                     [&] { loaded.tensor("c"); });
}

TEST_F(CheckpointTest, AMissingFileNamesPathAndReason) {
  test::expect_error(ErrorCode::kIo, {"run.safetensors", "No such file"}, [&] { load_checkpoint(path()); });
}

}  // namespace
}  // namespace hyperllm::training
