// Loops over rows that several threads share, that show how far they are and that the user can stop.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/progress.h"

namespace hyperllm::baselines {

// Throws kInterrupted if the user wants to stop. A model that is computed in one go has nothing to resume.
inline void check_stop(const Context& context, std::string_view model) {
  context.check_stop(model, "run the same command to start again");
}

// Calls body(begin, end) on ranges of at most `grain` that cover [0, count), the same ranges for any number of
// threads. After every 16 of them it advances `progress` and looks for a wish to stop. Throws what body throws,
// kInterrupted.
inline void in_waves(std::int64_t count, std::int64_t grain, Progress& progress, const Context& context,
                     std::string_view model, const std::function<void(std::int64_t, std::int64_t)>& body) {
  constexpr std::int64_t kWave = 16;
  for (std::int64_t first = 0; first < count; first += kWave * grain) {
    check_stop(context, model);
    const std::int64_t size = std::min(kWave * grain, count - first);
    parallel_ranges(size, grain,
                    [&](std::int64_t begin, std::int64_t end) { body(first + begin, first + end); });
    progress.advance(size);
  }
}

}  // namespace hyperllm::baselines
