#include <algorithm>
#include <cctype>
#include <string>

#include "hyperllm/data/bytes.h"

namespace hyperllm::data {
namespace {

using namespace std::string_view_literals;

struct Kind {
  std::string_view begins;
  const char *problem, *remedy;
};

constexpr const char* kExport = "Export it as CSV.";
constexpr const char* kArrow =
    "Write it as CSV: python3 -c \"import pyarrow.feather as f; f.read_table('FILE').to_pandas()."
    "to_csv('ratings.csv', index=False)\".";
constexpr const char* kHdf =
    "Write it as CSV: python3 -c \"import pandas; pandas.read_hdf('FILE').to_csv('ratings.csv', "
    "index=False)\".";
constexpr const char* kPickle =
    "If you trust whoever made it, write it as CSV: python3 -c \"import pandas; "
    "pandas.DataFrame(pandas.read_pickle('FILE')).to_csv('ratings.csv', index=False)\".";
constexpr const char* kMatlab =
    "Write a matrix of it as CSV: python3 -c \"import scipy.io; m = scipy.io.loadmat('FILE'); "
    "print(m.keys())\" "
    "tells its names, and numpy.savetxt('ratings.csv', m[NAME], delimiter=',') writes one.";

constexpr Kind kKinds[] = {
    {"version https://git-lfs"sv, "this is a Git LFS pointer: the data itself is not in it",
     "Run `git lfs pull` in the repository that it comes from."},
    {"/annex/objects/"sv, "this is a git-annex pointer: the data itself is not in it",
     "Run `git annex get` in the repository that it comes from."},
    {"\x04\x22\x4D\x18"sv, "this is packed with lz4", "Unpack it with `lz4 -d FILE` and give the result."},
    {"\x1F\x9D"sv, "this is packed with compress", "Unpack it with `gunzip FILE` and give the result."},
    {"7z\xBC\xAF\x27\x1C"sv, "this is a 7z archive", "Unpack it with `7z x FILE` and give the result."},
    {"Rar!\x1A\x07"sv, "this is a RAR archive", "Unpack it with `unrar x FILE` and give the result."},
    {"ARROW1"sv, "this is an Arrow (Feather) file", kArrow},
    {"FEA1"sv, "this is an Arrow (Feather) file", kArrow},
    {"\xFF\xFF\xFF\xFF\x10\0\0\0"sv, "this is a stream of Arrow batches",
     "Write it as CSV: python3 -c \"import pyarrow as p, pyarrow.csv as c; "
     "c.write_csv(p.ipc.open_stream('FILE').read_all(), 'ratings.csv')\"."},
    {"\x89HDF\r\n\x1A\n"sv, "this is an HDF5 file", kHdf},
    {"SQLite format 3"sv, "this is an SQLite database",
     "Export the table with `sqlite3 -header -csv FILE 'select * from TABLE' > ratings.csv`."},
    {"\x93NUMPY"sv, "this is a NumPy array",
     "Write it as CSV: python3 -c \"import numpy; numpy.savetxt('ratings.csv', numpy.load('FILE'), fmt='%s', "
     "delimiter=',')\"."},
    {"\x80\x02"sv, "this is a Python pickle", kPickle},
    {"\x80\x03"sv, "this is a Python pickle", kPickle},
    {"\x80\x04"sv, "this is a Python pickle", kPickle},
    {"\x80\x05"sv, "this is a Python pickle", kPickle},
    {"(lp0\n"sv, "this is a Python pickle", kPickle},
    {"(dp0\n"sv, "this is a Python pickle", kPickle},
    {"ccopy_reg\n"sv, "this is a Python pickle", kPickle},
    {"<stata_dta>"sv, "this is a Stata file",
     "Write it as CSV: python3 -c \"import pandas; pandas.read_stata('FILE').to_csv('ratings.csv', "
     "index=False)\"."},
    {"$FL2"sv, "this is an SPSS file", kExport},
    {"$FL3"sv, "this is an SPSS file", kExport},
    {"\0\0\0\0\0\0\0\0\0\0\0\0\xC2\xEA\x81\x60"sv, "this is a SAS file",
     "Write it as CSV: python3 -c \"import pandas; pandas.read_sas('FILE').to_csv('ratings.csv', "
     "index=False)\"."},
    {"Obj\x01"sv, "this is an Avro file", kExport},
    {"ORC"sv, "this is an ORC file", kExport},
    {"MATLAB 5.0"sv, "this is a MATLAB file", kMatlab},
    {"\xD0\xCF\x11\xE0"sv, "this is an Excel or Word file", kExport},
    {"%PDF-"sv, "this is a PDF", "Check that it is the right file."},
    {"\x00\x05\x16\x07"sv, "this is what macOS puts beside a file, not the file itself",
     "Give the file of the same name without '._' in front."},
};

bool begins_like_a_page(std::string_view head) {
  std::string start;
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  while (!head.empty() && std::isspace(static_cast<unsigned char>(head[0]))) head.remove_prefix(1);
  for (const char letter : head.substr(0, 14))
    start += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  for (const char* tag : {"<!doctype", "<html", "<head", "<body", "<?xml", "<error"})
    if (start.starts_with(tag)) return true;
  return false;
}

}  // namespace

BytesProblem foreign_kind(std::string_view head) {
  for (const auto& [begins, problem, remedy] : kKinds)
    if (head.starts_with(begins) && (begins != "ORC"sv || head.size() < 4 || head[3] < ' '))
      return {problem, remedy};
  if (begins_like_a_page(head))
    return {"this is a web page (HTML or XML), not data: a download that failed, most likely",
            "Open it in a browser to see what it says, and download the file again."};
  if (head.size() > 262 && head.substr(257, 5) == "ustar")
    return {"this is a tar archive", "Unpack it with `tar xf FILE` and give the file that is in it."};
  if (head.starts_with("PK\x03\x04")) {
    constexpr std::size_t kName = 30;
    const std::string_view first = head.substr(std::min(kName, head.size()));
    if (first.starts_with("[Content_Types].xml") || first.starts_with("_rels/") || first.starts_with("xl/"))
      return {"this is an Excel (or other Office) file", "Save it as CSV, in the spreadsheet program."};
    if (first.find("/data.pkl") < kName)
      return {"this is a file of PyTorch's torch.save",
              "Write what is in it as CSV, in Python with torch.load('FILE')."};
    if (first.starts_with("mimetypeapplication/vnd.oasis"))
      return {"this is an OpenDocument file", "Save it as CSV, in the spreadsheet program."};
  }
  return {};
}

}  // namespace hyperllm::data
