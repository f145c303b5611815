// Rows of fields, whatever file they come from. Columns, numbers, times, labels, splits and bad rows are
// taken care of here, once for all formats.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/importers/columns.h"
#include "hyperllm/importers/csv.h"

namespace hyperllm::importers {

class Records {
 public:
  virtual ~Records() = default;
  // The next row; false at the end. Throws kInvalidData for a row that cannot be taken apart; the next call
  // goes on behind it.
  virtual bool next() = 0;
  // Throws kInvalidData if what next() found is no row.
  virtual void check() const {}
  // Only of the columns that the layout uses need values be there. Good until next().
  virtual const std::vector<std::string_view>& fields() const = 0;
  virtual bool quoted(std::size_t /*column*/) const { return false; }
  virtual std::int64_t line() const = 0;
  virtual const LineReader& lines() const = 0;
};

// The next of `records`, counted in the report, and row() on it; what either throws of one row goes to `bad`.
// False at the end.
template <typename Row>
bool next_row(Records& records, BadRows& bad, const Row& row) {
  const std::int64_t before = records.lines().line_number();
  try {
    if (!records.next()) return false;
  } catch (const Error& error) {
    // Nothing was read, or all that follows belongs to an open quote: that is no matter of one row.
    const std::int64_t now = records.lines().line_number();
    if (now == before || now > records.line()) throw;
    bad.row([&] { throw error; });
    return true;
  }
  bad.row([&] {
    records.check();
    row();
  });
  return true;
}

// Reads all that is left of `records`, whose header is behind it, by the layout.
void read_records(Records& records, const Layout& at, const CsvColumns& columns, const Context& context,
                  RawInteractions& raw, FileReport& report);

// Names what the layout uses and what it does not, and keeps the first rows.
void report_layout(const Layout& at, const Probe& probe, const CsvColumns& columns, FileReport& report);

// One row's worth of the report: what was read of rating and time.
void count_values(const Layout& at, float rating, double time, FileReport& report);

// At most this many rows are looked at before the first is read.
inline constexpr std::size_t kProbeRows = 2000;

}  // namespace hyperllm::importers
