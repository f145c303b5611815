// What the language-model stage costs us, beside what the model costs: calls a second against a server that
// answers at once, with faults; and the memory of a dry run.
//
//   llm_bench calls [ITEMS=10000] [CONCURRENCY=64]
//   llm_bench dry-run [ITEMS=1000000]
//
// The client is a process of its own, so that its time and memory are its own too.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>

#include "hyperllm/data/dataset.h"
#include "hyperllm/data/texts.h"
#include "hyperllm/llm/call_store.h"
#include "hyperllm/llm/extraction.h"
#include "tests/llm/child_process.h"
#include "tests/llm/fake_model.h"

namespace hyperllm::llm {
namespace {

using namespace testing_support;
namespace fs = std::filesystem;

constexpr int kUserItems = 10;

// A catalogue whose texts have the length of the paper's (about 140 tokens), and users of ten items each.
void make_catalogue(const fs::path& folder, int users, int items) {
  fs::remove_all(folder);
  fs::create_directories(folder);
  data::Dataset dataset;
  dataset.name = folder.filename().string();
  for (int u = 0; u < users; ++u) dataset.users.push_back("u" + std::to_string(u));
  std::vector<data::ItemText> texts(static_cast<std::size_t>(items));
  std::string description;
  for (int word = 0; word < 80; ++word) description += "word" + std::to_string(word) + " ";
  for (int i = 0; i < items; ++i) {
    data::ItemText& text = texts[static_cast<std::size_t>(i)];
    text.id = "i" + std::to_string(i);
    text.title = "Title" + text.id;
    text.description = description + text.id;
    dataset.items.push_back(text.id);
  }
  for (int row = 0; row < users * kUserItems; ++row) {
    dataset.train.user.push_back(row / kUserItems);
    dataset.train.item.push_back(static_cast<int>((row * std::int64_t{7919}) % items));
    dataset.train.rating.push_back(1);
    dataset.train.timestamp.push_back(row);
  }
  data::save_dataset(dataset, folder);
  data::save_item_texts(texts, folder);
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

struct Usage {
  double seconds = 0, processor = 0, megabytes = 0;
  bool well = false;
};

Usage measured(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = in_child(body);
  int status = 1;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
          static_cast<double>(usage.ru_maxrss) / 1024, status == 0};
}

// The word after `name` in a request as it travels.
std::string after(const std::string& body, const char* name) {
  const std::size_t at = body.find(name);
  if (at == std::string::npos) return "";
  const std::size_t start = at + std::string_view(name).size();
  return body.substr(start, body.find_first_of("\\\" ", start) - start);
}

// One first request in twenty fails, each in one of five ways.
FakeAnswer answer(const FakeRequest& request, AskedLog& asked, AskedLog& answered) {
  if (request.body.find("fox") != std::string::npos)
    return {.body = chat_answer(R"({"mark": "zx-9041-quill", "list": ["zx-9041-quill"]})")};
  const std::string title = after(request.body, "Title: ");
  if (title.empty())
    return {.body =
                chat_answer(R"({"summary": "Likes things of some kinds and cares about their colour."})")};
  asked.add(title);
  const double draw = chance(title);
  if (draw < 0.05 && asked.counts_of(title) == 1) {
    switch (static_cast<int>(draw * 100) % 5) {
      case 0:
        return {.status = 429, .body = "{}", .headers = {{"retry-after-ms", "20"}}};
      case 1:
        return {.status = 500, .body = "{}"};
      case 2:
        return {.body = chat_answer("x"), .fault = FakeAnswer::Fault::kHalf};
      case 3:
        return {.body = "{\"choices\": ["};
      default:
        return {.body = chat_answer("no json")};
    }
  }
  answered.add(title);
  return {.body = chat_answer(item_completion(title))};
}

int calls(const fs::path& folder, int items, int concurrency) {
  make_catalogue(folder, 10, items);
  AskedLog asked, answered;
  FakeServer server([&](const FakeRequest& request) { return answer(request, asked, answered); });
  ExtractionOptions options;
  options.server.base_url = server.url() + "/v1";
  options.server.model = "fake";
  options.server.concurrency = concurrency;
  const double before = processor_seconds();
  const Usage client = measured([&] { extract(folder, options, {}); });
  const double serving = processor_seconds() - before;
  const double made = static_cast<double>(server.requests());
  std::int64_t lost = items - static_cast<std::int64_t>(answered.counts().size());
  std::int64_t twice = answered.total() - static_cast<std::int64_t>(answered.counts().size());
  const KindReport kind = CallStore::open((folder / "llm_calls.sqlite").string())->report().kinds.at(0);
  std::printf("%d items, %d in flight: %.0f calls in %.2f s, %.0f a second (start and assembly included)\n",
              items, concurrency, made, client.seconds, made / client.seconds);
  std::printf("client: %.0f us of processor a call, %.0f MB at most; server: %.0f us a call\n",
              client.processor * 1e6 / made, client.megabytes, serving * 1e6 / made);
  std::printf("answered: %lld, dead letters: %lld, lost: %lld, answered twice: %lld\n",
              static_cast<long long>(kind.done), static_cast<long long>(kind.dead),
              static_cast<long long>(lost), static_cast<long long>(twice));
  return client.well && kind.done == items && lost == 0 && twice == 0 ? 0 : 1;
}

int dry_run(const fs::path& folder, int items) {
  if (!measured([&] { make_catalogue(folder, items / kUserItems, items); }).well) return 1;
  const Usage client = measured([&] {
    ExtractionOptions options;
    options.server.dry_run = true;
    options.server.input_price = 0.15;
    options.server.output_price = 0.60;
    std::cout << extract(folder, options, {}).text << std::flush;
  });
  std::printf("dry run of %d items: %.1f s, %.0f MB at most\n", items, client.seconds, client.megabytes);
  return client.well ? 0 : 1;
}

int run(int count, char** words) {
  const std::string what = count > 1 ? words[1] : "";
  const auto number = [&](int at, int otherwise) { return count > at ? std::atoi(words[at]) : otherwise; };
  const fs::path folder = fs::temp_directory_path() / ("llm_bench_" + std::to_string(::getpid()));
  int result = 2;
  if (what == "calls")
    result = calls(folder, number(2, 10000), number(3, 64));
  else if (what == "dry-run")
    result = dry_run(folder, number(2, 1000000));
  else
    std::fprintf(stderr, "usage: llm_bench calls [ITEMS] [CONCURRENCY] | dry-run [ITEMS]\n");
  fs::remove_all(folder);
  return result;
}

}  // namespace
}  // namespace hyperllm::llm

int main(int count, char** words) { return hyperllm::llm::run(count, words); }
