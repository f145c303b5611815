// Everything that asking needs: the server (started here if it is local), the call store, limits and prices.
#pragma once

#include <filesystem>
#include <memory>

#include "hyperllm/base/progress.h"
#include "hyperllm/llm/call_store.h"
#include "hyperllm/llm/local_server.h"
#include "hyperllm/llm/options.h"
#include "hyperllm/llm/runner.h"

namespace hyperllm::llm {

class Session {
 public:
  enum class Use { kChat, kEmbeddings, kBatchFile };  // a batch file needs no address

  // Checks the options, opens the store (none in a dry run that finds none) and, unless it is a dry run,
  // starts a local server. `folder` is the dataset's. Throws kInvalidArgument, kUnavailable, kIo.
  Session(const ServerOptions& options, const std::filesystem::path& folder, Use use, const Context& context);

  const Server& server() const { return server_; }
  CallStore* store() { return store_.get(); }
  const RunnerOptions& runner() const { return runner_; }

  // Requests of this server and model leave these fields out from now on, in later runs too. Says so.
  void leave_out(const std::vector<std::string>& fields, Format& format, const Context& context);

  // The dialect to speak, and what requests leave out: `wanted`, or for "auto" what the store remembers of this server and model, or what
  // a probe finds (without an address: OpenAI's). Warns if the server enforces no schema.
  Format format(const std::string& wanted, const Sampling& sampling, const Context& context);

 private:
  std::string fact() const;  // what the store calls the format of this server and model

  Server server_;
  std::vector<std::string> left_out_;
  std::unique_ptr<LocalServer> local_;
  std::unique_ptr<CallStore> store_;
  RunnerOptions runner_;
};

// Throws kInvalidArgument for options that cannot work; needs_address: unless llm is local.
void check(const ServerOptions& options, bool needs_address);

// Where the store of a dataset is.
std::string store_path(const ServerOptions& options, const std::filesystem::path& folder);

// The store's report as text for people.
std::string report_text(const StoreReport& report);

}  // namespace hyperllm::llm
