// Recommendations as text for people and as JSON lines for programs.
#pragma once

#include <span>
#include <string>

#include "hyperllm/stages/recommend/run.h"

namespace hyperllm::stages::recommend {

std::string format_text(std::span<const UserRecommendations> users);

// {"user", "cold", "items": [{"rank", "id", "title" where known, "score"}]} a line.
std::string format_json(std::span<const UserRecommendations> users);

}  // namespace hyperllm::stages::recommend
