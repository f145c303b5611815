#include "hyperllm/llm/item_lines.h"

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/item_json.h"
#include "hyperllm/llm/unicode.h"

namespace hyperllm::llm {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestField =
    400;  // of fields that we know nothing about: more is seldom about taste

// At most `most` bytes, ending between two characters.
std::string cut(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    const bool blank = static_cast<unsigned char>(c) <= ' ';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

ItemLines::ItemLines(std::filesystem::path file, const std::vector<std::string>& items,
                     const Context& context)
    : file_(std::move(file)), items_(items), offsets_(items.size(), -1) {
  require_regular_file(file_);
  stream_.open(file_, std::ios::binary);
  if (!stream_.is_open()) throw io_error(file_, "open");
  const auto rows = data::index_of(items);
  Progress progress(context, "finding item texts", 0);
  std::string line;
  std::int64_t offset = 0;
  for (std::int64_t number = 1; std::getline(stream_, line); ++number) {
    const std::int64_t start = offset;
    offset += static_cast<std::int64_t>(line.size()) + 1;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const json object = parse_json(line);
    if (!object.is_object())
      throw data_error(file_.string(), number, "", "not a JSON object",
                       "Write one object a line, like {\"id\": \"17\", \"title\": \"...\"}.");
    const std::string id = object.contains("id") ? data::json_text(object["id"]) : "";
    if (id.empty())
      throw data_error(file_.string(), number, "id", "it is missing or empty",
                       "Give the id that the interactions use.");
    const auto found = rows.find(id);
    if (found == rows.end()) continue;
    std::int64_t& known = offsets_[static_cast<std::size_t>(found->second)];
    if (known >= 0)
      throw data_error(file_.string(), number, "id", "'" + id + "' was there before",
                       "Remove one of the two lines.");
    known = start;
    progress.advance();
    if (number % 4096 == 0) context.check_stop("reading item texts");
  }
}

data::ItemText ItemLines::read(std::int64_t row) {
  const auto index = static_cast<std::size_t>(row);
  data::ItemText item;
  if (offsets_[index] >= 0) {
    std::string line;
    stream_.clear();
    stream_.seekg(offsets_[index]);
    std::getline(stream_, line);
    const json object = parse_json(line);
    HYPERLLM_CHECK(object.is_object(), ErrorCode::kIo, file_.string() + " changed while it was read");
    item = data::item_from_json(object);
  }
  item.id = items_[index];
  return item;
}

std::string describe_item(const data::ItemText& item, std::int64_t most) {
  std::string text;
  const auto add = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) text += name + ": " + value + "\n";
  };
  add("Title", one_line(item.title));
  add("Brand", one_line(item.brand));
  std::string paths;
  for (const auto& path : item.categories) {
    std::string joined;
    for (const std::string& node : path) joined += (joined.empty() ? "" : " > ") + one_line(node);
    paths += (paths.empty() ? "" : "; ") + joined;
  }
  add("Categories", paths);
  for (const auto& [name, value] : item.other) add(one_line(name), cut(one_line(value), kLongestField));
  const auto limit = static_cast<std::size_t>(most);
  if (text.size() < limit) add("Description", cut(one_line(item.description), limit - text.size()));
  return cut(text, limit);
}

}  // namespace hyperllm::llm
