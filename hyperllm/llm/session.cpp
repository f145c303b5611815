#include "hyperllm/llm/session.h"

#include <fmt/format.h>

#include <cstdlib>

#include "hyperllm/base/error.h"
#include "hyperllm/llm/probe.h"

namespace hyperllm::llm {
namespace {

void check(const ServerOptions& options) {
  check_fields(ServerOptions(options).fields());
  HYPERLLM_CHECK(
      !options.model.empty() || options.dry_run, ErrorCode::kInvalidArgument,
      "option 'model': name the model that is to answer, such as --model gpt-4o-mini, or a GGUF file with "
      "--llm local");
  HYPERLLM_CHECK(
      options.llm == "local" || !options.base_url.empty() || options.dry_run, ErrorCode::kInvalidArgument,
      "option 'base_url': name a server, such as http://localhost:8080/v1 (llama-server), "
      "http://localhost:8000/v1 (vLLM), http://localhost:11434/v1 (Ollama) or https://api.openai.com/v1, or "
      "choose --llm local");
}

bool is_server_store(const std::string& where) { return where.find("://") != std::string::npos; }

}  // namespace

std::string store_path(const ServerOptions& options, const std::filesystem::path& folder) {
  return options.store.empty() ? (folder / "llm_calls.sqlite").string() : options.store;
}

Session::Session(const ServerOptions& options, const std::filesystem::path& folder, bool embeddings,
                 const Context& context) {
  check(options);
  runner_.pace = {options.concurrency, options.requests_per_minute, options.tokens_per_minute};
  runner_.budget = Budget::parse(options.budget);
  runner_.price = {options.input_price, options.output_price};
  runner_.tries = static_cast<int>(options.tries);
  server_.base_url = options.base_url;
  // A local model is known by its file's name wherever it lies, so that moving it re-asks nothing.
  server_.model =
      options.llm == "local" ? std::filesystem::path(options.model).filename().string() : options.model;
  server_.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_seconds * 1000));
  if (const char* key = std::getenv(options.api_key_env.c_str())) server_.api_key = key;
  const std::string where = store_path(options, folder);
  if (!options.dry_run || is_server_store(where) || std::filesystem::exists(where))
    store_ = CallStore::open(where);
  if (options.dry_run) return;
  if (options.retry_failed) {
    const std::int64_t reopened = store_->reopen_dead();
    context.info(std::to_string(reopened) + " dead letters will be asked again");
  }
  if (options.llm == "local") {
    local_ = std::make_unique<LocalServer>(LocalServerOptions{.model = options.model,
                                                              .embeddings = embeddings,
                                                              .pooling = options.local_pooling,
                                                              .parallel = options.concurrency,
                                                              .context = options.local_context,
                                                              .threads = options.local_threads,
                                                              .log = folder / "llama-server.log"},
                                           context);
    server_.base_url = local_->base_url();
  }
}

Format Session::format(const std::string& wanted, const Sampling& sampling, const Context& context) {
  if (wanted != "auto") return Format{.dialect = dialect_named(wanted)};
  // A local server has a new port each time; the model's name says enough.
  const std::string name = "format " + (local_ ? "local" : server_.base_url) + " " + server_.model;
  if (const std::string known = store_->fact(name); !known.empty()) return Format::parse(known);
  context.info("asking the server which form of structured output it enforces");
  const Probe probe = probe_format(server_, sampling, context);
  if (probe.enforced) {
    context.info("the server enforces JSON schemas (dialect " + dialect_name(probe.format.dialect) + ")");
  } else {
    for (const std::string& note : probe.notes) context.info("  " + note);
    context.warn(
        "the server enforces no JSON schema: replies depend on the prompt alone, expect more repairs");
  }
  store_->set_fact(name, probe.format.text());
  return probe.format;
}

std::string report_text(const StoreReport& report) {
  std::string text = fmt::format("{:<8}{:>10}{:>10}{:>12}{:>14}{:>8}{:>10}{:>10}{:>14}{:>14}{:>12}\n", "kind",
                                 "calls", "done", "first try", "after repair", "dead", "pending", "attempts",
                                 "prompt tokens", "answer tokens", "cost");
  for (const KindReport& k : report.kinds)
    text += fmt::format("{:<8}{:>10}{:>10}{:>12}{:>14}{:>8}{:>10}{:>10}{:>14}{:>14}{:>12.4f}\n", k.kind,
                        k.calls, k.done, k.first_try, k.after_repair, k.dead, k.pending, k.attempts,
                        k.prompt_tokens, k.completion_tokens, k.cost);
  const auto list = [&](const char* title, const std::vector<std::pair<std::string, std::int64_t>>& lines) {
    if (!lines.empty()) text += std::string("\n") + title + "\n";
    for (const auto& [what, count] : lines) text += fmt::format("{:>8}  {}\n", count, what);
  };
  list("attempts that failed, by reason", report.problems);
  list("put right without asking again", report.mended);
  if (!report.dead.empty()) text += "\ndead letters\n";
  for (const Failure& failure : report.dead)
    text += fmt::format("  {} {}: {}\n", failure.kind, failure.subject, failure.problem);
  return text;
}

}  // namespace hyperllm::llm
