// Paired tests of runs against a baseline.
#pragma once

#include <vector>

#include "hyperllm/stages/report/run.h"

namespace hyperllm::stages::report {

// Every row but the baseline's own, every metric that both have. Seeds are averaged user by user first.
std::vector<Comparison> compare(const std::vector<ReportRow>& rows, const ReportOptions& options);

}  // namespace hyperllm::stages::report
