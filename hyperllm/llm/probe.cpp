#include "hyperllm/llm/probe.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <thread>

#include "hyperllm/base/error.h"
#include "hyperllm/base/json.h"
#include "hyperllm/llm/pacing.h"
#include "hyperllm/llm/read_values.h"
#include "hyperllm/llm/server_errors.h"
#include "hyperllm/net/secrets.h"

namespace hyperllm::llm {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kWord = "zx-9041-quill";
constexpr int kTries = 6;
constexpr double kSilence = 3;  // seconds of waiting that need no word

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

constexpr const char* kTask = "looking for the server's dialect";

void wait(double seconds, const Context& context) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    context.check_stop(kTask);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

bool busy(const net::HttpReply& reply) { return reply.status == 429 || reply.status == 503; }

net::HttpReply ask(const Server& server, const Format& format, const Sampling& sampling,
                   const Context& context) {
  const std::vector<Message> messages = {
      {"user", "Tell me in one sentence about a fox who finds a river. Answer in JSON."}};
  Random random(1, "probe");
  net::HttpReply reply;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    if (attempt > 0) {
      const double wish = busy(reply) ? retry_after(reply, static_cast<double>(std::time(nullptr))) : -1;
      const double delay = backoff(attempt, wish, 0.2, random);
      if (delay >= kSilence)
        context.info(fmt::format("{} {:.0f} s ({})",
                                 wish == delay ? "the server asks to wait" : "the next try is in", delay,
                                 error_message(reply.status, reply.body)));
      wait(delay, context);
    }
    reply = net::fetch(chat_request(server, format, messages, sampling, probe_schema(format.bounds)),
                       context.stop);
    context.check_stop(kTask);
    check_usable(reply);
    if (reply.failure == net::HttpFailure::kTooLarge) throw no_model_server(reply.url, reply.error);
    const bool passing = reply.status == 0 || reply.status == 429 || reply.status >= 500;
    if (!passing) break;
  }
  HYPERLLM_CHECK(reply.status != 0, ErrorCode::kUnavailable,
                 "no language model answers at " + base_of(reply.url) + " (" + reply.error +
                     "). Start the server, or name its address with --base-url.");
  HYPERLLM_CHECK(!busy(reply), ErrorCode::kUnavailable,
                 "the server at " + base_of(reply.url) + " has no time for any of " + std::to_string(kTries) +
                     " tries (" + error_message(reply.status, reply.body) + "). Run the same command later.");
  return reply;
}

bool enforced(const ChatReply& reply) {
  const auto value = parse_json(reply.text);
  const auto* mark = member(&value, "mark");
  return mark && text_in(mark) == kWord && value.size() == 2;
}

std::string server_url(const Server& server) { return net::shown_url(server.base_url); }

bool mentions(const net::HttpReply& reply, std::string_view word) {
  return reply.body.find(word) != std::string::npos;
}

}  // namespace

Probe probe_format(const Server& server, const Format& start, const Sampling& base, const Context& context) {
  Sampling sampling = base;
  sampling.max_tokens = 200;
  Probe probe;
  Format format = start;
  bool found_path = false;
  net::HttpReply missing;  // the first reply, if the server knows no such path
  std::string no_model;    // what was wrong with a reply that is none of a language model
  for (const Dialect dialect :
       {Dialect::kOpenAi, Dialect::kVllm, Dialect::kJsonObject, Dialect::kLlama, Dialect::kOllama}) {
    format.dialect = dialect;
    for (const bool bounds : {true, false}) {
      format.bounds = bounds;
      net::HttpReply reply = ask(server, format, sampling, context);
      // Newer models take neither the old name of the limit nor a temperature; some servers no seed.
      if (reply.status == 400 && mentions(reply, "max_completion_tokens") && !format.max_completion_tokens) {
        format.max_completion_tokens = true;
        reply = ask(server, format, sampling, context);
      }
      for (std::vector<std::string> refused;
           !(refused = refused_fields(reply.status, reply.body, format, sampling)).empty();) {
        for (const std::string& field : refused) format.leave_out(field);
        reply = ask(server, format, sampling, context);
      }
      std::string note = error_message(reply.status, reply.body);
      if (reply.status == 200) try {
          const ChatReply said = read_chat(reply.body);
          found_path = true;
          probe.spoke = probe.spoke || !said.blank();
          if (enforced(said)) {
            probe.format = format;
            probe.enforced = true;
            return probe;
          }
          note = "answered, but not by the schema" + (said.remark.empty() ? "" : ": " + said.remark);
        } catch (const Error& error) {
          note = no_model = error.what();
        }
      if (is_unknown_path(reply) && probe.notes.empty()) missing = reply;
      probe.notes.push_back(format.text() + ": " + note);
      if (reply.status == 200) break;  // taken, not enforced: the bounds are not to blame
    }
  }
  if (!found_path && !no_model.empty()) throw no_model_server(server_url(server), no_model);
  if (!found_path && missing.status != 0) throw unknown_path(missing);
  HYPERLLM_CHECK(found_path, ErrorCode::kUnavailable,
                 "the server at " + server_url(server) + " refuses every request: " + probe.notes.front());
  format.dialect = Dialect::kPrompt;
  format.bounds = false;
  probe.format = format;
  return probe;
}

}  // namespace hyperllm::llm
