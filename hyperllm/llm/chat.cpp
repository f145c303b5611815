#include "hyperllm/llm/chat.h"

#include <array>

#include "hyperllm/base/error.h"
#include "hyperllm/net/secrets.h"

namespace hyperllm::llm {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::array<std::pair<Dialect, std::string_view>, 6> kDialects = {{
    {Dialect::kOpenAi, "openai"},
    {Dialect::kJsonObject, "json_object"},
    {Dialect::kVllm, "vllm"},
    {Dialect::kLlama, "llama"},
    {Dialect::kOllama, "ollama"},
    {Dialect::kPrompt, "prompt"},
}};

void add_schema(ordered_json& body, Dialect dialect, const ordered_json& schema) {
  switch (dialect) {
    case Dialect::kOpenAi:
      body["response_format"] = {{"type", "json_schema"},
                                 {"json_schema", {{"name", "reply"}, {"strict", true}, {"schema", schema}}}};
      break;
    case Dialect::kJsonObject:
      body["response_format"] = {{"type", "json_object"}, {"schema", schema}};
      break;
    case Dialect::kVllm:
      body["structured_outputs"] = {{"json", schema}};
      break;
    case Dialect::kLlama:
      body["json_schema"] = schema;
      break;
    case Dialect::kOllama:
      body["format"] = schema;
      break;
    case Dialect::kPrompt:
      break;
  }
}

ordered_json message_list(const std::vector<Message>& messages) {
  ordered_json list = ordered_json::array();
  for (const Message& message : messages)
    list.push_back({{"role", message.role}, {"content", message.content}});
  return list;
}

std::int64_t count_of(const json& holder, const char* name) {
  if (!holder.is_object()) return -1;
  const auto found = holder.find(name);
  return found != holder.end() && found->is_number() ? found->get<std::int64_t>() : -1;
}

[[noreturn]] void malformed(const std::string& what) {
  throw Error(ErrorCode::kInvalidData, "the server's reply " + what);
}

}  // namespace

std::string dialect_name(Dialect dialect) {
  for (const auto& [value, name] : kDialects)
    if (value == dialect) return std::string(name);
  return {};
}

Dialect dialect_named(std::string_view name) {
  std::string known;
  for (const auto& [value, text] : kDialects) {
    if (text == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  throw Error(ErrorCode::kInvalidArgument,
              "unknown dialect '" + std::string(name) + "'; expected one of " + known);
}

std::string Format::text() const {
  return dialect_name(dialect) + (bounds ? " bounds" : "") +
         (max_completion_tokens ? " max_completion_tokens" : "") + (temperature ? " temperature" : "");
}

Format Format::parse(const std::string& text) {
  Format format;
  format.dialect = dialect_named(text.substr(0, text.find(' ')));
  format.bounds = text.find(" bounds") != std::string::npos;
  format.max_completion_tokens = text.find(" max_completion_tokens") != std::string::npos;
  format.temperature = text.find(" temperature") != std::string::npos;
  return format;
}

ordered_json chat_body(const Server& server, const Format& format, const std::vector<Message>& messages,
                       const Sampling& sampling, const ordered_json& schema) {
  ordered_json body = {{"model", server.model}, {"messages", message_list(messages)}};
  if (format.dialect == Dialect::kOllama) {
    body["stream"] = false;
    body["options"] = {{"seed", sampling.seed}, {"num_predict", sampling.max_tokens}};
    if (format.temperature) body["options"]["temperature"] = sampling.temperature;
  } else {
    body[format.max_completion_tokens ? "max_completion_tokens" : "max_tokens"] = sampling.max_tokens;
    if (format.temperature) body["temperature"] = sampling.temperature;
    body["seed"] = sampling.seed;
  }
  if (!schema.is_null()) add_schema(body, format.dialect, schema);
  body.update(sampling.extra);
  return body;
}

net::HttpRequest chat_request(const Server& server, const Format& format,
                              const std::vector<Message>& messages, const Sampling& sampling,
                              const ordered_json& schema) {
  std::string body = chat_body(server, format, messages, sampling, schema)
                         .dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (format.dialect != Dialect::kOllama) return post(server, "/chat/completions", std::move(body));
  Server root = server;
  while (root.base_url.ends_with('/')) root.base_url.pop_back();
  if (root.base_url.ends_with("/v1")) root.base_url.resize(root.base_url.size() - 3);
  return post(root, "/api/chat", std::move(body));
}

ChatReply read_chat(std::string_view body) {
  const json reply = json::parse(body, nullptr, false);
  if (!reply.is_object()) malformed("is not JSON");
  ChatReply out;
  const json* message = nullptr;
  std::string finish;
  if (const auto choices = reply.find("choices"); choices != reply.end()) {
    if (!choices->is_array() || choices->empty() || !(*choices)[0].is_object()) malformed("has no choice");
    const json& choice = (*choices)[0];
    if (const auto found = choice.find("message"); found != choice.end()) message = &*found;
    if (const auto found = choice.find("finish_reason"); found != choice.end() && found->is_string())
      finish = found->get<std::string>();
    const json usage = reply.value("usage", json());
    out.prompt_tokens = count_of(usage, "prompt_tokens");
    out.completion_tokens = count_of(usage, "completion_tokens");
  } else if (const auto found = reply.find("message"); found != reply.end()) {  // Ollama's own
    message = &*found;
    if (const auto why = reply.find("done_reason"); why != reply.end() && why->is_string())
      finish = why->get<std::string>();
    out.prompt_tokens = count_of(reply, "prompt_eval_count");
    out.completion_tokens = count_of(reply, "eval_count");
  }
  if (!message || !message->is_object()) malformed("has no message");
  const auto content = message->find("content");
  // Content is null when the model refused or only thought: an empty reply, to be judged as such.
  if (content != message->end() && content->is_string()) out.text = content->get<std::string>();
  out.cut = finish == "length";
  return out;
}

std::string error_message(int status, std::string_view body) {
  std::string words(body.substr(0, 300));
  const json reply = json::parse(body, nullptr, false);
  if (reply.is_object() && reply.contains("error")) {
    const json& error = reply["error"];
    if (error.is_string()) words = error.get<std::string>();
    if (error.is_object() && error.contains("message") && error["message"].is_string())
      words = error["message"].get<std::string>();
  }
  return "HTTP " + std::to_string(status) + (words.empty() ? "" : ": " + words.substr(0, 300));
}

net::HttpRequest post(const Server& server, std::string_view path, std::string body) {
  net::HttpRequest request;
  request.url = server.base_url;
  while (request.url.ends_with('/')) request.url.pop_back();
  request.url += path;
  request.body = std::move(body);
  request.headers = {"Content-Type: application/json"};
  if (!server.api_key.empty()) {
    request.headers.push_back("Authorization: Bearer " + server.api_key);
    request.secrets = {server.api_key, net::base64_of(server.api_key)};
  }
  request.ca_file = server.ca_file;
  request.timeout = server.timeout;
  return request;
}

double estimated_tokens(std::string_view text) {
  std::size_t ascii = 0, other = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    ascii += byte < 0x80;
    other += byte >= 0xC0;  // one lead byte a character
  }
  return static_cast<double>(ascii) / 4 + static_cast<double>(other);
}

}  // namespace hyperllm::llm
