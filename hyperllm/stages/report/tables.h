// The report's tables, in any style.
#pragma once

#include <string>

#include "hyperllm/stages/report/run.h"

namespace hyperllm::stages::report {

// All that the result holds. A text or Markdown table but the first has a line above it that says what it is.
std::string tables_text(const ReportResult& result, const ReportOptions& options);

}  // namespace hyperllm::stages::report
