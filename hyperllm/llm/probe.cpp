#include "hyperllm/llm/probe.h"

#include <chrono>
#include <thread>

#include "hyperllm/base/error.h"

namespace hyperllm::llm {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kWord = "zx-9041-quill";
constexpr int kTries = 6;

ordered_json probe_schema(bool bounds) {
  ordered_json list = {{"type", "array"}, {"items", {{"type", "string"}, {"enum", {kWord}}}}};
  // All that item_schema() uses, so that a server which takes this takes that.
  if (bounds) {
    list.update({{"minItems", 1}, {"maxItems", 2}});
    list["items"] = {{"type", "string"}, {"pattern", "^zx-[^ ]{4}(-quill){1,2}$"}, {"maxLength", 40}};
  }
  return {{"type", "object"},
          {"properties", {{"mark", {{"type", "string"}, {"enum", {kWord}}}}, {"list", list}}},
          {"required", {"mark", "list"}},
          {"additionalProperties", false}};
}

net::HttpReply ask(const Server& server, const Format& format, const Sampling& sampling,
                   const Context& context) {
  const std::vector<Message> messages = {
      {"user", "Tell me in one sentence about a fox who finds a river. Answer in JSON."}};
  net::HttpReply reply;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    context.check_stop("looking for the server's dialect");
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(100 << attempt));
    reply = net::fetch(chat_request(server, format, messages, sampling, probe_schema(format.bounds)));
    const bool passing = reply.status == 0 || reply.status == 429 || reply.status >= 500;
    if (!passing) break;
  }
  HYPERLLM_CHECK(reply.status != 0, ErrorCode::kUnavailable,
                 "no language model answers at " + server.base_url + " (" + reply.error +
                     "). Start the server, or name its address with --base-url.");
  HYPERLLM_CHECK(reply.status != 401 && reply.status != 403, ErrorCode::kUnavailable,
                 "the server at " + server.base_url + " refuses the key (" +
                     error_message(reply.status, reply.body) +
                     "). Put a valid one into the environment variable that --api-key-env names.");
  return reply;
}

bool enforced(std::string_view body) {
  try {
    const auto value = nlohmann::json::parse(read_chat(body).text, nullptr, false);
    return value.is_object() && value.value("mark", nlohmann::json()) == kWord && value.size() == 2;
  } catch (const Error&) {
    return false;
  }
}

bool mentions(const net::HttpReply& reply, std::string_view word) {
  return reply.body.find(word) != std::string::npos;
}

}  // namespace

Probe probe_format(const Server& server, const Sampling& base, const Context& context) {
  Sampling sampling = base;
  sampling.max_tokens = 200;
  Probe probe;
  Format format;
  bool found_path = false;
  int last_missing = 0;
  std::string missing;
  for (const Dialect dialect :
       {Dialect::kOpenAi, Dialect::kVllm, Dialect::kJsonObject, Dialect::kLlama, Dialect::kOllama}) {
    format.dialect = dialect;
    for (const bool bounds : {true, false}) {
      format.bounds = bounds;
      net::HttpReply reply = ask(server, format, sampling, context);
      // Newer models take neither the old name of the limit nor a temperature.
      if (reply.status == 400 && mentions(reply, "max_completion_tokens") && !format.max_completion_tokens) {
        format.max_completion_tokens = true;
        reply = ask(server, format, sampling, context);
      }
      if (reply.status == 400 && mentions(reply, "temperature") && format.temperature) {
        format.temperature = false;
        reply = ask(server, format, sampling, context);
      }
      if (reply.status == 200 && enforced(reply.body)) {
        probe.format = format;
        probe.enforced = true;
        return probe;
      }
      found_path = found_path || reply.status == 200;
      if (reply.status == 404) last_missing = 404, missing = error_message(404, reply.body);
      probe.notes.push_back(format.text() + ": " +
                            (reply.status == 200 ? "answered, but not by the schema"
                                                 : error_message(reply.status, reply.body)));
      if (reply.status == 200) break;  // taken, not enforced: the bounds are not to blame
    }
  }
  HYPERLLM_CHECK(found_path || last_missing == 0, ErrorCode::kUnavailable,
                 "the server at " + server.base_url + " knows no such model or path (" + missing +
                     "). Check --base-url (it ends in /v1) and --model.");
  HYPERLLM_CHECK(found_path, ErrorCode::kUnavailable,
                 "the server at " + server.base_url + " refuses every request: " + probe.notes.back());
  format.dialect = Dialect::kPrompt;
  format.bounds = false;
  probe.format = format;
  return probe;
}

}  // namespace hyperllm::llm
