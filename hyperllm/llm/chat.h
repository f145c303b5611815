// Chat requests in the dialects of OpenAI-compatible servers, and their replies.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/net/http.h"

namespace hyperllm::llm {

struct Server {
  std::string base_url;  // with the version: http://localhost:8080/v1
  std::string model;
  std::string api_key = {};  // sent as a bearer token if not empty
  std::string ca_file = {};  // authorities to trust instead of the system's list
  std::chrono::milliseconds timeout{600000};
};

// How a server wants to be told the JSON schema of the reply.
enum class Dialect {
  kOpenAi,      // response_format {type: json_schema, json_schema: {name, schema, strict}}
  kJsonObject,  // response_format {type: json_object, schema}: llama-server
  kVllm,        // structured_outputs {json}
  kLlama,       // json_schema: llama-server
  kOllama,      // Ollama's own /api/chat with format
  kPrompt,      // no way: the prompt alone says it
};

std::string dialect_name(Dialect dialect);
// Throws kInvalidArgument with the known names.
Dialect dialect_named(std::string_view name);

// What a server understands, as found out by probe_format().
struct Format {
  Dialect dialect = Dialect::kOpenAi;
  bool bounds = true;                  // maxItems, maxLength
  bool max_completion_tokens = false;  // instead of max_tokens
  std::vector<std::string> without;    // fields that requests leave out ("temperature", "seed"), sorted

  bool leaves_out(std::string_view field) const;
  void leave_out(std::string_view field);
  // As stored; parse() of an unknown text throws kInvalidData.
  std::string text() const;
  static Format parse(const std::string& text);
};

struct Sampling {
  double temperature = 0;
  std::int64_t max_tokens = 1024;
  std::int64_t seed = 1;
  nlohmann::ordered_json extra = nlohmann::ordered_json::object();  // merged into the request's body
};

struct Message {
  std::string role;  // "system", "user", "assistant"
  std::string content;
};

// `schema` null: free text.
net::HttpRequest chat_request(const Server& server, const Format& format,
                              const std::vector<Message>& messages, const Sampling& sampling,
                              const nlohmann::ordered_json& schema);
// Those fields of a request that a server can do without and that its refusal (status 400 or 422) names:
// temperature, seed, those of sampling.extra, unless the format leaves them out already.
std::vector<std::string> refused_fields(int status, std::string_view words, const Format& format,
                                        const Sampling& sampling);
// The body alone, as batch files carry it.
nlohmann::ordered_json chat_body(const Server& server, const Format& format,
                                 const std::vector<Message>& messages, const Sampling& sampling,
                                 const nlohmann::ordered_json& schema);

struct ChatReply {
  std::string text;  // of all text parts, if the content is a list of parts
  // Why there is no text (content null, a refusal and its words, thinking or tool calls alone, ...), or what
  // else is the matter with it: a sentence, "" if nothing.
  std::string remark;
  bool cut = false;                                              // the server stopped at max_tokens
  std::optional<std::int64_t> prompt_tokens, completion_tokens;  // as told

  bool blank() const { return text.find_first_not_of(" \t\r\n") == std::string::npos; }
};

// Reads a 200 reply's body. Throws kInvalidData, with the reply's first words, if it is not what a chat
// server sends.
ChatReply read_chat(std::string_view body);

// The server's own words out of an error reply, on one line.
std::string error_message(int status, std::string_view body);

// kInvalidData "the server's reply WHAT", with the server's own words or those that the reply begins with.
Error malformed_reply(const std::string& what, std::string_view body);

// `path` below the base URL, with the key and a JSON body.
net::HttpRequest post(const Server& server, std::string_view path, std::string body);

// What a text will cost, roughly: four bytes a token in Latin script, one a character elsewhere.
double estimated_tokens(std::string_view text);

}  // namespace hyperllm::llm
