// A figure as files: data that anything opens, a gnuplot script that draws them, and what gnuplot made of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"

namespace hyperllm::stages::report {

// Rows of a .tsv, a header first.
class Tsv {
 public:
  explicit Tsv(const std::vector<std::string>& header);
  Tsv& row();  // begins one
  Tsv& add(std::string_view cell);
  Tsv& add(double value);  // shortest text that reads back; NaN: an empty cell
  const std::string& text() const { return text_; }

 private:
  void separate();
  std::string text_;
  bool first_ = true;  // of the row
};

struct Size {
  double width = 7.2, height = 3.6;  // inches
};

class FigureWriter {
 public:
  // Makes the folder.
  FigureWriter(std::filesystem::path folder, const Context& context);

  // Writes NAME.tsv and NAME.gp; `plot` follows the lines of the script that choose the output. Where gnuplot
  // is there, NAME.pdf and NAME.svg too; where it is not, one warning says what to install. Each file
  // atomically. Equal data give equal bytes but for the PDF, which holds the time. Throws kIo, and
  // kUnavailable if gnuplot fails.
  void write(const std::string& name, const Size& size, const std::string& tsv, const std::string& plot);
  // A table beside the figures.
  void write_table(const std::string& name, const std::string& tsv) const;

 private:
  void draw(const std::string& name, const std::string& kind);
  std::filesystem::path folder_;
  const Context& context_;
  bool has_gnuplot_ = true;
};

// The style of an interval from a point up: a line with two caps. (gnuplot's yerrorbars blank what lies
// below.)
inline constexpr const char* kInterval = "vectors heads size graph 0.006,90 nofilled";
// A text of a script, in single quotes.
std::string quoted(const std::string& text);
// A name for a file: letters, digits and -_. as they are, all else as -.
std::string file_name(const std::string& text);
// The i-th of eight colours that differ in print too (Okabe and Ito 2008), round and round.
std::string colour(std::size_t i);

}  // namespace hyperllm::stages::report
