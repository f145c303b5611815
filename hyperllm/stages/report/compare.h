// Paired tests of runs against a baseline.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/stages/report/run.h"

namespace hyperllm::stages::report {

// The row that a row is tested against; it need not be one of the table.
struct Baseline {
  std::string name;
  std::vector<std::filesystem::path> folders;
};

// Per row; none for a baseline itself, and where a pattern finds none. Throws kInvalidArgument for a name
// that is no row and no folder, and for a pattern that fits no row.
std::vector<std::optional<Baseline>> baselines_of(const std::vector<ReportRow>& rows,
                                                  const ReportOptions& options);

// Values per user, averaged over seeds, user by user; each read once.
class UserValues {
 public:
  explicit UserValues(std::string split) : split_(std::move(split)) {}
  const metrics::PerUser& of(const std::vector<std::filesystem::path>& folders);

 private:
  std::string split_;
  std::map<std::filesystem::path, metrics::PerUser> loaded_;  // by the first folder
};

// Throws kInvalidData unless both have the same users.
void check_same_users(const metrics::PerUser& a, const metrics::PerUser& b,
                      const std::filesystem::path& folder);

// Every row that has a baseline, every metric that both have.
std::vector<Comparison> compare(const std::vector<ReportRow>& rows,
                                const std::vector<std::optional<Baseline>>& baselines, UserValues& values,
                                const ReportOptions& options);

}  // namespace hyperllm::stages::report
