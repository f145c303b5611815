// Prompts as versioned template files. The binary carries the defaults (prompts/*.txt).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/llm/chat.h"

namespace hyperllm::llm {

// A template:
//
//   version: item/1
//   [system]
//   text
//   [user]
//   text with {{name}}
//
// One message a section, in order. The version names the wording in the store; change it with the text.
class Prompt {
 public:
  // `name` stands for the file in errors. Throws kInvalidData (file, line, problem, remedy): no version, no
  // section, an unknown role, a {{name}} that is not among `variables`, one of them never used.
  Prompt(std::string_view text, std::string name, const std::vector<std::string>& variables);
  // From `file`, or the built-in template `name` ("item", "user", "repair") if `file` is empty. Throws kIo.
  static Prompt load(const std::filesystem::path& file, const std::string& name,
                     const std::vector<std::string>& variables);

  const std::string& version() const { return version_; }
  // The messages with the variables' values put in; a value's own braces are left alone.
  std::vector<Message> render(const std::map<std::string, std::string>& values) const;

 private:
  std::string version_;
  std::vector<Message> sections_;
};

// The text of a built-in template and the file name to write it under, by name.
struct BuiltinPrompt {
  std::string_view name, file, text;
};
const std::vector<BuiltinPrompt>& builtin_prompts();

}  // namespace hyperllm::llm
