#include "hyperllm/llm/prompt.h"

#include <algorithm>
#include <set>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm::llm {
namespace {

constexpr std::string_view kVersion = "version: ";

std::string trimmed(std::string text) {
  const auto blank = [](char c) { return c == '\n' || c == '\r' || c == ' '; };
  while (!text.empty() && blank(text.back())) text.pop_back();
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), blank));
  return text;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "{{" : ", {{") + name + "}}";
  return text;
}

// Calls found(name, position, length) for every {{name}} of the text.
template <typename Found>
void for_each_variable(const std::string& text, Found found) {
  for (std::size_t at = text.find("{{"); at != std::string::npos; at = text.find("{{", at + 2)) {
    const std::size_t end = text.find("}}", at);
    if (end == std::string::npos) return;
    found(text.substr(at + 2, end - at - 2), at, end + 2 - at);
  }
}

}  // namespace

Prompt::Prompt(std::string_view text, std::string name, const std::vector<std::string>& variables) {
  std::set<std::string> unused(variables.begin(), variables.end());
  std::int64_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line(text.substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.starts_with(kVersion) && sections_.empty()) {
      version_ = trimmed(line.substr(kVersion.size()));
    } else if (line.starts_with('[') && line.ends_with(']')) {
      const std::string role = line.substr(1, line.size() - 2);
      if (role != "system" && role != "user" && role != "assistant")
        throw data_error(name, number, "", "'" + role + "' is no role",
                         "Write [system], [user] or [assistant].");
      sections_.push_back({role, ""});
    } else if (!sections_.empty()) {
      for_each_variable(line, [&](const std::string& variable, std::size_t, std::size_t) {
        if (std::find(variables.begin(), variables.end(), variable) == variables.end())
          throw data_error(name, number, "", "unknown variable {{" + variable + "}}",
                           "This prompt knows " + joined(variables) + ".");
        unused.erase(variable);
      });
      sections_.back().content += line + "\n";
    }
  }
  if (version_.empty())
    throw data_error(name, 1, "version", "missing", "Begin the file with a line such as 'version: mine/1'.");
  if (sections_.empty())
    throw data_error(name, 0, "", "no section", "Write [user] on a line and the prompt below it.");
  if (!unused.empty())
    throw data_error(name, 0, "", "{{" + *unused.begin() + "}} is never used",
                     "Put it where its value belongs.");
  for (Message& section : sections_) section.content = trimmed(std::move(section.content));
}

Prompt Prompt::load(const std::filesystem::path& file, const std::string& name,
                    const std::vector<std::string>& variables) {
  if (!file.empty()) return Prompt(read_file(file, kMiB), file.string(), variables);
  for (const BuiltinPrompt& prompt : builtin_prompts())
    if (prompt.name == name) return Prompt(prompt.text, std::string(prompt.file), variables);
  throw Error(ErrorCode::kInvalidArgument, "no built-in prompt '" + name + "'");
}

std::vector<Message> Prompt::render(const std::map<std::string, std::string>& values) const {
  std::vector<Message> messages = sections_;
  for (Message& message : messages) {
    std::string out;
    std::size_t copied = 0;
    for_each_variable(message.content, [&](const std::string& variable, std::size_t at, std::size_t length) {
      out += message.content.substr(copied, at - copied) + values.at(variable);
      copied = at + length;
    });
    message.content = out + message.content.substr(copied);
  }
  return messages;
}

}  // namespace hyperllm::llm
