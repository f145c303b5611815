// What every stage that talks to a model can be told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"

namespace hyperllm::llm {

struct ServerOptions {
  std::string llm = "server";
  std::string base_url;
  std::string model;
  std::string api_key_env = "OPENAI_API_KEY";
  std::string ca_file;
  std::string store;
  std::int64_t concurrency = 16;
  double requests_per_minute = 0;
  double tokens_per_minute = 0;
  double timeout_seconds = 600;
  std::int64_t tries = 8;
  std::vector<std::string> leave_out;
  std::vector<std::string> budget;
  double input_price = 0;
  double output_price = 0;
  bool dry_run = false;
  bool retry_failed = false;
  std::int64_t local_context = 4096;
  std::int64_t local_threads = 0;
  std::string local_pooling = "model";

  FieldList fields() {
    return {
        {"llm",
         &llm,
         "who answers: a server at base_url, or a llama-server that is started for this run",
         {"server", "local"}},
        {"base_url", &base_url, "OpenAI-compatible server, with version: http://localhost:8080/v1",
         Effect::kHow},
        {"model", &model, "the server's name of the model; with llm = local, a GGUF file"},
        {"api_key_env", &api_key_env, "environment variable that holds the key (never the key itself)",
         Effect::kHow},
        {"ca_file", &ca_file,
         "PEM file of the authorities to trust for https; empty: SSL_CERT_FILE, CURL_CA_BUNDLE or the "
         "system's",
         Effect::kHow},
        {"store", &store,
         "call store: a file (default DATASET/llm_calls.sqlite) or postgresql://..., shared by machines",
         Effect::kHow},
        {"concurrency", &concurrency, "calls in flight", within(1, 4096), Effect::kHow},
        {"requests_per_minute", &requests_per_minute, "own limit on requests, 0: none", within(0, 1e9),
         Effect::kHow},
        {"tokens_per_minute", &tokens_per_minute, "own limit on tokens, 0: none", within(0, 1e12),
         Effect::kHow},
        {"timeout_seconds", &timeout_seconds, "give up waiting for one reply after this long",
         above(0, 86400), Effect::kHow},
        {"tries", &tries, "tries of one request against a failing server", within(1, 100), Effect::kHow},
        {"leave_out", &leave_out,
         "fields of a request that the server is not sent, such as seed,temperature; what it refuses by name "
         "is left out without this",
         Effect::kHow},
        {"budget", &budget, "ceilings on this run: tokens=2M,cost=5,minutes=30", Effect::kHow},
        {"input_price", &input_price, "price of a million prompt tokens, in your currency", within(0, 1e6),
         Effect::kHow},
        {"output_price", &output_price, "price of a million answer tokens", within(0, 1e6), Effect::kHow},
        {"dry_run", &dry_run, "only tell calls, tokens and cost; asks nothing, writes nothing"},
        {"retry_failed", &retry_failed, "ask dead letters again", Effect::kAction},
        {"local_context", &local_context, "llm = local: tokens of context for each call in flight",
         within(128, 1 << 24), Effect::kHow},
        {"local_threads", &local_threads, "llm = local: threads of the server, 0: its own choice",
         within(0, 1024), Effect::kHow},
        {"local_pooling",
         &local_pooling,
         "llm = local, embeddings: how tokens become one vector; a chat model's file does not say",
         {"model", "mean", "cls", "last"}},
    };
  }
};

}  // namespace hyperllm::llm
