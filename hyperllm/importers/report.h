// What an import did: for people, for the manifest, and for rows that could not be read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/data/lines.h"

namespace hyperllm::importers {

struct Range {
  double least = 0, most = 0;
  std::int64_t count = 0;
  void add(double value) {
    if (count++ == 0) least = most = value;
    if (value < least) least = value;
    if (value > most) most = value;
  }
};

struct FileReport {
  std::filesystem::path path;
  std::string format, packing, encoding = "UTF-8", separator;  // separator: empty where there is none
  std::vector<std::pair<std::string, std::string>> used;       // role, column
  std::vector<std::string> unused;                             // columns
  std::vector<std::string> notes;                              // what else people should know
  std::int64_t rows = 0;                                       // read, those that were left out included
  struct LeftOut {
    std::int64_t count = 0;
    std::string first;  // the message of the first
  };
  std::map<std::string, LeftOut> left_out;  // by reason
  Range ratings, times;
  std::int64_t zero_ratings = 0, negative_ratings = 0;
  std::vector<std::vector<std::string>> first_rows;  // as they stand in the file

  std::int64_t left_out_rows() const;
  // How the file's bytes are packed and encoded.
  void opened(const data::LineReader& lines);
};

// One line for people.
std::string describe(const FileReport& report);
// The same as a JSON object.
std::string to_json(const FileReport& report);

// A point in time as "2020-09-13 17:27:17".
std::string time_text(double seconds);

// What happens to rows that cannot be read.
struct BadRowRule {
  bool skip = false;           // false: the first one ends the import
  double largest_share = 0.1;  // of the rows; more end the import too
};

// Reads rows so that bad ones end the import or are counted by reason.
class BadRows {
 public:
  BadRows(const BadRowRule& rule, FileReport& report) : rule_(rule), report_(report) {}

  // Counts one more row of the file and calls read(); kInvalidData that it throws makes it a bad one. Throws
  // that error, with the switch named, unless bad rows are skipped.
  template <typename Read>
  void row(const Read& read) {
    ++report_.rows;
    try {
      read();
    } catch (const Error& error) {
      bad(error);
    }
  }
  void leave_out(const std::string& reason, const std::string& message);
  // At the end of the file. Throws kInvalidData if too many rows were bad.
  void check() const;

 private:
  void bad(const Error& error);
  const BadRowRule& rule_;
  FileReport& report_;
  std::int64_t bad_ = 0;
};

}  // namespace hyperllm::importers
