#include "hyperllm/llm/session.h"

#include <fmt/format.h>

#include <cstdlib>

#include "hyperllm/base/error.h"
#include "hyperllm/llm/probe.h"
#include "hyperllm/llm/read_values.h"
#include "hyperllm/net/secrets.h"

namespace hyperllm::llm {
namespace {

void check_address(const std::string& url) {
  const std::string shown = net::shown_url(url);
  HYPERLLM_CHECK(
      url.starts_with("http://") || url.starts_with("https://"), ErrorCode::kInvalidArgument,
      "option 'base_url': '" + shown + "' does not say how to speak; write " +
          (url.find("://") == std::string::npos ? "http://" + shown : "http://... or https://..."));
  for (const char* end : {"/chat/completions", "/embeddings", "/completions", "/models"})
    HYPERLLM_CHECK(!url.ends_with(end), ErrorCode::kInvalidArgument,
                   "option 'base_url': '" + shown + "' names one service of the server; write " +
                       shown.substr(0, shown.rfind(end)));
}

// Files with keys end in a line end. One inside would end the header and begin another.
std::string key_from(const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  std::string_view key = value ? value : "";
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!key.empty() && blank(key.front())) key.remove_prefix(1);
  while (!key.empty() && blank(key.back())) key.remove_suffix(1);
  for (std::size_t i = 0; i < key.size(); ++i)
    HYPERLLM_CHECK(static_cast<unsigned char>(key[i]) >= ' ' && key[i] != 0x7F, ErrorCode::kInvalidArgument,
                   "the key in the environment variable " + variable +
                       " has a control character, such as a "
                       "line end, at letter " +
                       std::to_string(i + 1) + ". Set it to the key alone.");
  return std::string(key);
}

std::string authorities(const ServerOptions& options) {
  std::pair<std::string, std::string> found = {"option 'ca_file'", options.ca_file};
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"})
    if (const char* value = std::getenv(name);
        value && found.second.empty() && options.base_url.starts_with("https://"))
      found = {std::string("environment variable ") + name, value};
  HYPERLLM_CHECK(found.second.empty() || std::filesystem::is_regular_file(found.second), ErrorCode::kIo,
                 found.first + ": " + found.second + ": no such file");
  return found.second;
}

}  // namespace

void check(const ServerOptions& options, bool needs_address) {
  check_fields(ServerOptions(options).fields());
  HYPERLLM_CHECK(
      !options.model.empty() || options.dry_run, ErrorCode::kInvalidArgument,
      "option 'model': name the model that is to answer, such as --model gpt-4o-mini, or a GGUF file with "
      "--llm local");
  HYPERLLM_CHECK(
      options.llm == "local" || !options.base_url.empty() || options.dry_run || !needs_address,
      ErrorCode::kInvalidArgument,
      "option 'base_url': name a server, such as http://localhost:8080/v1 (llama-server), "
      "http://localhost:8000/v1 (vLLM), http://localhost:11434/v1 (Ollama) or https://api.openai.com/v1, or "
      "choose --llm local");
  if (options.llm != "local" && !options.base_url.empty()) check_address(options.base_url);
}

std::string store_path(const ServerOptions& options, const std::filesystem::path& folder) {
  return options.store.empty() ? (folder / "llm_calls.sqlite").string() : options.store;
}

Session::Session(const ServerOptions& options, const std::filesystem::path& folder, Use use,
                 const Context& context)
    : left_out_(options.leave_out) {
  check(options, use != Use::kBatchFile);
  runner_.pace = {options.concurrency, options.requests_per_minute, options.tokens_per_minute};
  runner_.budget = Budget::parse(options.budget);
  runner_.price = {options.input_price, options.output_price};
  runner_.tries = static_cast<int>(options.tries);
  server_.base_url = options.base_url;
  // A local model is known by its file's name wherever it lies, so that moving it re-asks nothing.
  server_.model =
      options.llm == "local" ? std::filesystem::path(options.model).filename().string() : options.model;
  server_.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_seconds * 1000));
  server_.api_key = key_from(options.api_key_env);
  server_.ca_file = authorities(options);
  const std::string where = store_path(options, folder);
  if (options.dry_run) {
    if (is_server_store(where) || std::filesystem::exists(where)) store_ = CallStore::open_to_read(where);
    return;
  }
  store_ = CallStore::open(where);
  if (options.retry_failed) {
    const std::int64_t reopened = store_->reopen_dead();
    context.info(std::to_string(reopened) + " dead letters will be asked again");
  }
  if (options.llm == "local") {
    local_ = std::make_unique<LocalServer>(LocalServerOptions{.model = options.model,
                                                              .embeddings = use == Use::kEmbeddings,
                                                              .pooling = options.local_pooling,
                                                              .parallel = options.concurrency,
                                                              .context = options.local_context,
                                                              .threads = options.local_threads,
                                                              .log = folder / "llama-server.log"},
                                           context);
    server_.base_url = local_->base_url();
  }
}

// A local server has a new port each time; the model's name says enough.
std::string Session::fact() const {
  return "format " + (local_ ? "local" : net::shown_url(server_.base_url)) + " " + server_.model;
}

void Session::leave_out(const std::vector<std::string>& fields, Format& format, const Context& context) {
  for (const std::string& field : fields) {
    format.leave_out(field);
    context.warn("the server refuses '" + field + "': requests leave it out from now on");
  }
  if (!fields.empty()) store_->set_fact(fact(), format.text());
}

Format Session::format(const std::string& wanted, const Sampling& sampling, const Context& context) {
  Format start;
  const std::string known = store_->fact(fact());
  if (!known.empty()) start = Format::parse(known);
  for (const std::string& field : left_out_) start.leave_out(field);
  if (wanted != "auto") {
    const Dialect dialect = dialect_named(wanted);
    if (dialect != start.dialect) start.bounds = true;
    start.dialect = dialect;
    return start;
  }
  if (!known.empty() || (!local_ && server_.base_url.empty())) return start;
  context.info("asking the server which form of structured output it enforces");
  const Probe probe = probe_format(server_, start, sampling, context);
  for (const std::string& field : probe.format.without)
    if (!start.leaves_out(field))
      context.warn("the server refuses '" + field + "': requests leave it out from now on");
  if (probe.enforced) {
    context.info("the server enforces JSON schemas (dialect " + dialect_name(probe.format.dialect) + ")");
  } else {
    for (const std::string& note : probe.notes) context.info("  " + note);
    context.warn(
        "the server enforces no JSON schema: replies depend on the prompt alone, expect more repairs");
  }
  // Of a server that said nothing, nothing was learned that another run should know.
  if (probe.spoke) store_->set_fact(fact(), probe.format.text());
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
  if (!report.problems.empty()) text += "\nattempts that failed, by kind\n";
  for (const Reason& reason : report.problems) {
    text += fmt::format("{:>8}  {}\n", reason.count, reason.kind);
    // The text of a kind without names and numbers is its own example.
    if (!reason.example.starts_with(reason.kind) || reason.example.size() > reason.kind.size() + 1)
      text += fmt::format("          such as: {}\n", reason.example);
  }
  if (!report.mended.empty()) text += "\nput right without asking again\n";
  for (const auto& [what, count] : report.mended) text += fmt::format("{:>8}  {}\n", count, what);
  if (!report.dead.empty()) text += "\ndead letters\n";
  for (const Failure& failure : report.dead)
    text += fmt::format("  {} {}: {}\n", failure.kind, excerpt(failure.subject, 80),
                        excerpt(failure.problem, 200));
  std::int64_t dead = 0;
  for (const KindReport& kind : report.kinds) dead += kind.dead;
  if (dead > static_cast<std::int64_t>(report.dead.size()) && !report.dead.empty())
    text += fmt::format("  and {} more\n", dead - static_cast<std::int64_t>(report.dead.size()));
  return text;
}

}  // namespace hyperllm::llm
