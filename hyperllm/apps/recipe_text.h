// Recipes as text.
#pragma once

#include <string>
#include <vector>

#include "hyperllm/apps/recipe.h"
#include "hyperllm/apps/stage.h"

namespace hyperllm::apps {

// The entries of a list as assign_field reads it.
std::vector<std::string> list_entries(const std::string& text);

// Sets the table's key, which it may have already.
void set_value(RecipeTable& table, const std::string& key, const RecipeValue& value);

// TOML that load_recipe reads back to the same recipe, [search] apart, which is left out. Environment
// variables are expanded. The recipe is one that plan_recipe takes.
std::string recipe_text(const Recipe& recipe, const std::vector<Stage>& stages);

}  // namespace hyperllm::apps
