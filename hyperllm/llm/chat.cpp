#include "hyperllm/llm/chat.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "hyperllm/base/error.h"
#include "hyperllm/base/json.h"
#include "hyperllm/llm/read_values.h"
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

constexpr std::size_t kMostWords = 300;

// What a server says in an error, in the shapes that are in use: {"error": {"message"}}, {"error": "..."},
// {"detail": "..."}, {"message": "..."}, and a list around one of them. "" if it says nothing.
std::string server_words(const json& reply) {
  const json* holder = reply.is_array() && !reply.empty() ? &reply[0] : &reply;
  const json* error = member(holder, "error");
  for (const json* words :
       {error, member(error, "message"), member(holder, "detail"), member(holder, "message")})
    if (const std::string_view text = text_in(words); !text.empty()) return excerpt(text, kMostWords);
  return error && !error->is_null() ? excerpt(error->dump(), kMostWords) : "";
}

// The text of a message's content: a string, or a list of parts of which some are text.
std::string content_text(const json* content) {
  if (!content || !content->is_array()) return std::string(text_in(content));
  std::string text;
  for (const json& part : *content) {
    text += text_in(&part);
    text += text_in(member(&part, "text"));
  }
  return text;
}

std::string content_shape(const json* content) {
  if (!content) return "content is missing";
  if (content->is_array()) return "content is a list without text";
  if (content->is_string()) return "content is empty";
  return std::string("content is ") + (content->is_null() ? "null" : content->type_name());
}

// A refusal's words: beside the content, or as a part of it.
std::string_view refusal_in(const json* message) {
  const json* content = member(message, "content");
  if (content && content->is_array())
    for (const json& part : *content)
      if (const std::string_view words = text_in(member(&part, "refusal")); !words.empty()) return words;
  return text_in(member(message, "refusal"));
}

std::string remark_on(const ChatReply& reply, const json* message, const std::string& finish) {
  std::string facts = reply.blank() ? content_shape(member(message, "content")) : "";
  const auto add = [&](const std::string& fact) { facts += (facts.empty() ? "" : ", ") + fact; };
  if (const std::string_view words = refusal_in(message); !words.empty())
    add("refusal \"" + excerpt(words, 200) + "\"");
  if (reply.blank()) {
    for (const char* thinking : {"reasoning_content", "reasoning", "thinking"})
      if (!text_in(member(message, thinking)).empty()) add(std::string("only ") + thinking);
    for (const char* call : {"tool_calls", "function_call"})
      if (const json* calls = member(message, call); calls && !calls->empty()) add(call);
  }
  if (!finish.empty() && (reply.blank() || (finish != "stop" && !reply.cut))) add("finish_reason " + finish);
  if (facts.empty()) return "";
  return (reply.blank() ? "The reply has no text: " : "Beside the text: ") + facts + ".";
}

const std::string kWithout = " without:";

// `word` stands in `text` as a word: "seed", not "seeded".
bool names_word(std::string_view text, std::string_view word) {
  const auto letter = [&](std::size_t at) {
    return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_');
  };
  for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1))
    if ((at == 0 || !letter(at - 1)) && !letter(at + word.size())) return true;
  return false;
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
  std::string text = dialect_name(dialect) + (bounds ? " bounds" : "") +
                     (max_completion_tokens ? " max_completion_tokens" : "") +
                     (leaves_out("temperature") ? "" : " temperature");
  for (const std::string& field : without)
    if (field != "temperature") text += kWithout + field;
  return text;
}

Format Format::parse(const std::string& text) {
  Format format;
  format.dialect = dialect_named(text.substr(0, text.find(' ')));
  format.bounds = text.find(" bounds") != std::string::npos;
  format.max_completion_tokens = text.find(" max_completion_tokens") != std::string::npos;
  if (text.find(" temperature") == std::string::npos) format.leave_out("temperature");
  for (std::size_t at = text.find(kWithout); at != std::string::npos; at = text.find(kWithout, at)) {
    at += kWithout.size();
    format.leave_out(std::string_view(text).substr(at, text.find(' ', at) - at));
  }
  return format;
}

bool Format::leaves_out(std::string_view field) const {
  return std::find(without.begin(), without.end(), field) != without.end();
}

void Format::leave_out(std::string_view field) {
  if (leaves_out(field)) return;
  without.emplace_back(field);
  std::sort(without.begin(), without.end());
}

std::vector<std::string> refused_fields(int status, std::string_view words, const Format& format,
                                        const Sampling& sampling) {
  std::vector<std::string> refused;
  if (status != 400 && status != 422) return refused;
  std::vector<std::string> candidates = {"temperature", "seed"};
  for (const auto& [name, value] : sampling.extra.items()) candidates.push_back(name);
  for (const std::string& field : candidates)
    if (!format.leaves_out(field) && names_word(words, field)) refused.push_back(field);
  return refused;
}

ordered_json chat_body(const Server& server, const Format& format, const std::vector<Message>& messages,
                       const Sampling& sampling, const ordered_json& schema) {
  ordered_json body = {{"model", server.model}, {"messages", message_list(messages)}};
  if (format.dialect == Dialect::kOllama) {
    body["stream"] = false;
    body["options"] = {
        {"seed", sampling.seed}, {"num_predict", sampling.max_tokens}, {"temperature", sampling.temperature}};
  } else {
    body[format.max_completion_tokens ? "max_completion_tokens" : "max_tokens"] = sampling.max_tokens;
    body["temperature"] = sampling.temperature;
    body["seed"] = sampling.seed;
  }
  if (!schema.is_null()) add_schema(body, format.dialect, schema);
  body.update(sampling.extra);
  for (const std::string& field : format.without) {
    body.erase(field);
    if (format.dialect == Dialect::kOllama) body["options"].erase(field);
  }
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
  const json reply = parse_json(body);
  if (reply.is_discarded()) throw malformed_reply("is not JSON", body);
  const json* choices = member(&reply, "choices");
  const bool chosen = choices && choices->is_array() && !choices->empty();
  const json* holder = choices ? (chosen ? &(*choices)[0] : nullptr) : &reply;  // without: Ollama's own
  const json* message = member(holder, "message");
  if (!message || !message->is_object())
    throw malformed_reply(choices && !chosen ? "has no choice" : "has no message", body);
  const json* usage = choices ? member(&reply, "usage") : &reply;
  const std::string finish = excerpt(text_in(member(holder, choices ? "finish_reason" : "done_reason")), 40);
  ChatReply out;
  out.text = content_text(member(message, "content"));
  out.cut = finish == "length";
  out.remark = remark_on(out, message, finish);
  out.prompt_tokens = whole_number(member(usage, choices ? "prompt_tokens" : "prompt_eval_count"));
  out.completion_tokens = whole_number(member(usage, choices ? "completion_tokens" : "eval_count"));
  return out;
}

std::string error_message(int status, std::string_view body) {
  std::string words = server_words(parse_json(body));
  if (words.empty()) words = excerpt(body, kMostWords);
  return "HTTP " + std::to_string(status) + (words.empty() ? "" : ": " + words);
}

Error malformed_reply(const std::string& what, std::string_view body) {
  const std::string words = server_words(parse_json(body));
  const std::string front = excerpt(body, 120);
  return {ErrorCode::kInvalidData, "the server's reply " + (words.empty() ? what : "is an error: " + words) +
                                       (!words.empty()  ? ""
                                        : front.empty() ? "; it is empty"
                                                        : "; it begins: " + front)};
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
