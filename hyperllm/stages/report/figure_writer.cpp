#include "hyperllm/stages/report/figure_writer.h"

#include <array>
#include <cctype>
#include <cmath>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/process.h"
#include "hyperllm/base/text_table.h"
#include "hyperllm/data/numbers.h"

namespace hyperllm::stages::report {
namespace {

namespace fs = std::filesystem;

constexpr double kPixelsAnInch = 130;

std::string preamble(const std::string& name, const Size& size) {
  const std::string inches = fixed(size.width, 2) + "in," + fixed(size.height, 2) + "in";
  const std::string pixels =
      fixed(kPixelsAnInch * size.width, 0) + "," + fixed(kPixelsAnInch * size.height, 0);
  return "# Draws " + name + ".tsv. `gnuplot " + name + ".gp` makes " + name +
         ".pdf, `gnuplot -e \"kind='svg'\" " + name + ".gp` makes " + name +
         ".svg.\n"
         "if (!exists('kind')) kind = 'pdf'\n"
         "if (!exists('target')) target = " +
         quoted(name + ".") +
         ".kind\n"
         "if (kind eq 'svg') set terminal svg size " +
         pixels + " font 'Helvetica,13' background 'white'; else set terminal pdfcairo size " + inches +
         " font 'Helvetica,10'\n"
         "set output target\n"
         "set encoding utf8\n"
         "set datafile separator '\\t'\n"
         "set datafile columnheaders\n"
         "set datafile missing NaN\n"
         "set border 3 linewidth 0.7\n"
         "set tics nomirror out\n"
         "set grid ytics linecolor '#d0d0d0' linewidth 0.5\n"
         "data = " +
         quoted(name + ".tsv") + "\n";
}

}  // namespace

Tsv::Tsv(const std::vector<std::string>& header) {
  for (const std::string& name : header) add(name);
}

void Tsv::separate() {
  if (!std::exchange(first_, false)) text_ += '\t';
}

Tsv& Tsv::row() {
  text_ += '\n';
  first_ = true;
  return *this;
}

Tsv& Tsv::add(std::string_view cell) {
  separate();
  text_ += cell;
  return *this;
}

Tsv& Tsv::add(double value) {
  separate();
  if (!std::isnan(value)) data::append_number(text_, value);
  return *this;
}

FigureWriter::FigureWriter(fs::path folder, const Context& context)
    : folder_(std::move(folder)), context_(context) {
  make_folder(folder_);
}

void FigureWriter::write(const std::string& name, const Size& size, const std::string& tsv,
                         const std::string& plot) {
  context_.check_stop("report");
  write_table(name, tsv);
  write_file(folder_ / (name + ".gp"), preamble(name, size) + plot);
  for (const char* kind : {"pdf", "svg"}) draw(name, kind);
}

void FigureWriter::write_table(const std::string& name, const std::string& tsv) const {
  write_file(folder_ / (name + ".tsv"), tsv + "\n");
}

void FigureWriter::draw(const std::string& name, const std::string& kind) {
  if (!has_gnuplot_) return;
  const std::string made = "." + name + "." + kind + ".new";
  const auto ended =
      run_program({"gnuplot", "-e", "kind='" + kind + "'; target='" + made + "'", name + ".gp"}, folder_);
  if (!ended) {
    has_gnuplot_ = false;
    context_.warn(
        "figures: there is no gnuplot here, so they are data and scripts alone. Install it (`apt-get "
        "install gnuplot-nox`) and run the same command again for PDF and SVG");
    return;
  }
  const std::string bytes = fs::exists(folder_ / made) ? read_file(folder_ / made) : "";
  std::error_code ignored;
  fs::remove(folder_ / made, ignored);
  context_.check_stop("report");  // Ctrl-C ends gnuplot too
  HYPERLLM_CHECK(
      ended->status == 0 && !bytes.empty(), ErrorCode::kUnavailable,
      (folder_ / (name + ".gp")).string() + ": gnuplot could not draw it (status " +
          std::to_string(ended->status) + "): " + ended->complaints +
          " It must be version 5.4 or newer with the terminals pdfcairo and svg, as in gnuplot-nox.");
  write_file(folder_ / (name + "." + kind), bytes);
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) result.append(letter == '\'' ? 2 : 1, letter);
  return result + "'";
}

std::string file_name(const std::string& text) {
  std::string name = text;
  for (char& letter : name)
    if (!std::isalnum(static_cast<unsigned char>(letter)) && letter != '-' && letter != '_' && letter != '.')
      letter = '-';
  return name;
}

std::string colour(std::size_t i) {
  static constexpr std::array<const char*, 8> kColours = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                                          "#56b4e9", "#d55e00", "#f0e442", "#7f7f7f"};
  return kColours[i % kColours.size()];
}

}  // namespace hyperllm::stages::report
