// Data frames out of R's own files, without R.
//
// Reads R's serialization format (R Internals, section 1.8: XDR, versions 2 and 3), plain or gzip:
//   X.rds                one object (saveRDS)
//   X.rda X.RData        named objects (save)
//   X.rdb beside X.rdx   named objects (the lazy-load database of an installed R package)
// bzip2 and xz containers are refused with the R command that rewrites them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::importers {

// One column; either `numbers` or `texts` has a value per row.
struct RColumn {
  std::string name;
  std::vector<double> numbers;                         // logical, integer and double columns; NA is NaN
  std::vector<std::optional<std::string_view>> texts;  // character columns and factors (as labels), UTF-8

  bool is_text() const { return !texts.empty(); }
};

struct RDataFrame {
  std::vector<RColumn> columns;
  std::int64_t rows = 0;
  std::shared_ptr<const void> storage;  // what the texts are views of

  // Throws kInvalidData with the nearest column name; `file` is for the message.
  const RColumn& column(std::string_view name, const std::filesystem::path& file) const;
};

// The data frame called `object`; an empty name means the file's only object. Every size is checked against
// the bytes that are left before anything is allocated, and all that the file unpacks to (compressed bytes,
// sequences stored by their recipe, values) is kept below unpacked_limit of its size. Throws kIo (missing
// file) and kInvalidData (not R data, truncated, a size that lies, too much to unpack, a type that data
// frames do not need, no such object, columns of unequal length).
RDataFrame read_r_data_frame(const std::filesystem::path& path, std::string_view object);

}  // namespace hyperllm::importers
