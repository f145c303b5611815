// Catalogue texts without the debris of the web pages they were taken from.
#pragma once

#include <string>
#include <string_view>

namespace hyperllm::importers {

// Removes HTML tags (with the content of script and style), decodes entities (twice encoded ones too), makes
// each run of white space one space and invalid UTF-8 valid (see to_utf8).
std::string clean_text(std::string_view text);

}  // namespace hyperllm::importers
