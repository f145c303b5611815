#include "hyperllm/llm/extraction.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/llm/batch_file.h"
#include "hyperllm/llm/chat_job.h"
#include "hyperllm/llm/item_lines.h"
#include "hyperllm/llm/read_values.h"
#include "hyperllm/llm/session.h"
#include "hyperllm/llm/text_checks.h"
#include "hyperllm/llm/unicode.h"

namespace hyperllm::llm {
namespace {

namespace fs = std::filesystem;

// Sizes of answers before any has been seen, for the forecast.
constexpr double kItemAnswer = 220, kUserAnswer = 90, kItemInUserPrompt = 90;
constexpr std::size_t kChunk = 512;
constexpr std::size_t kMostProblems = 2000;  // bytes

// What the extractor may know of a dataset. Made from a whole dataset, whose validation and test rows end
// here.
struct TrainingView {
  std::vector<std::string> users, items;
  std::vector<std::vector<std::int32_t>> history;  // of each user: training items, latest first, each once

  TrainingView(data::Dataset&& dataset, std::int64_t most_items)
      : users(std::move(dataset.users)), items(std::move(dataset.items)), history(users.size()) {
    const data::Interactions& train = dataset.train;
    std::vector<std::int64_t> order(train.user.size());
    std::iota(order.begin(), order.end(), 0);
    // Latest first; without time stamps, last in the file first.
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      const auto i = static_cast<std::size_t>(a), j = static_cast<std::size_t>(b);
      return std::tuple(-train.timestamp[i], -a) < std::tuple(-train.timestamp[j], -b);
    });
    for (const std::int64_t row : order) {
      auto& list = history[static_cast<std::size_t>(train.user[static_cast<std::size_t>(row)])];
      const std::int32_t item = train.item[static_cast<std::size_t>(row)];
      if (static_cast<std::int64_t>(list.size()) < most_items &&
          std::find(list.begin(), list.end(), item) == list.end())
        list.push_back(item);
    }
  }
};

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

template <typename T>
Judged judged(const Parsed<T>& parsed) {
  Judged out;
  out.valid = parsed.valid();
  // The model is told what is wrong, and each word of that is paid for: the first of very many will do.
  for (const std::string& problem : parsed.problems)
    if (out.problem.size() < kMostProblems)
      out.problem += (out.problem.empty() ? "" : " ") + excerpt(problem, 300);
  out.mended = joined(parsed.mended, ", ");
  return out;
}

void check(const ExtractionOptions& options, const Context& context) {
  check_fields(ExtractionOptions(options).fields());
  const auto known = known_languages();
  if (std::find(known.begin(), known.end(), folded(options.language)) == known.end())
    context.warn("replies are not checked for being in " + options.language +
                 "; languages that can be checked: " + joined(known, ", "));
}

// One run of the extractor: the questions, and what their answers become.
class Extractor {
 public:
  Extractor(const fs::path& folder, const ExtractionOptions& options, const Context& context)
      : folder_(folder),
        options_(options),
        context_(context),
        view_(data::load_dataset(folder), options.max_user_items),
        lines_(folder / "items.jsonl", view_.items, context),
        session_(options.server, folder,
                 options.export_batch.empty() ? Session::Use::kChat : Session::Use::kBatchFile, context),
        rules_{.language = options.language} {
    find_described_items();
    if (!options.server.dry_run) format_ = session_.format(options.dialect, sampling(), context);
  }

  ExtractionResult run() {
    if (options_.server.dry_run) return forecast();
    ChatJob items = item_job();
    if (!options_.import_batch.empty()) import_items(items);
    if (!options_.export_batch.empty() && exported(items, "item")) return std::move(result_);
    result_.item_calls = run_all(items, "items");
    collect_items(items);
    ChatJob users = user_job();
    if (!options_.import_batch.empty()) import_users(users);
    if (!options_.export_batch.empty() && exported(users, "user")) return std::move(result_);
    result_.user_calls = run_all(users, "users");
    collect_users(users);
    clean();
    result_.written = true;
    return std::move(result_);
  }

 private:
  Sampling sampling() const {
    Sampling sampling{options_.temperature, options_.max_tokens, options_.llm_seed,
                      nlohmann::ordered_json::object()};
    if (options_.extra_body.empty()) return sampling;
    sampling.extra = parse_json<nlohmann::ordered_json>(options_.extra_body);
    HYPERLLM_CHECK(sampling.extra.is_object(), ErrorCode::kInvalidArgument,
                   "option 'extra_body': expected a JSON object such as {\"top_p\": 0.9}, got '" +
                       options_.extra_body + "'");
    return sampling;
  }

  void find_described_items() {
    for (std::size_t row = 0; row < view_.items.size(); ++row) {
      const bool described =
          !describe_item(lines_.read(static_cast<std::int64_t>(row)), options_.max_item_bytes).empty();
      if (described) described_.push_back(static_cast<std::int32_t>(row));
      if (row % kChunk == 0) context_.check_stop("reading item texts");
    }
    result_.items_without_text = static_cast<std::int64_t>(view_.items.size() - described_.size());
    if (result_.items_without_text > 0)
      context_.warn(std::to_string(result_.items_without_text) +
                    " items have no text; no call is made for them");
    HYPERLLM_CHECK(!described_.empty(), ErrorCode::kInvalidData,
                   (folder_ / "items.jsonl").string() +
                       ": no item of the dataset has a text. Check that its ids are "
                       "those of the interactions.");
  }

  ChatSpec spec(const char* kind, const fs::path& file, const std::string& variable, bool item) const {
    return {.kind = kind,
            .server = session_.server(),
            .format = format_,
            .sampling = sampling(),
            .prompt = Prompt::load(file, kind, {variable, "language"}),
            .repair = Prompt::load(options_.repair_prompt, "repair", {"problems"}),
            .schema = item ? item_schema(format_.bounds) : user_schema(format_.bounds),
            .judge = [this, item](const std::string& reply) {
              return item ? judged(parse_item_reply(reply, rules_)) : judged(parse_user_reply(reply, rules_));
            }};
  }

  ChatJob item_job() {
    return ChatJob(spec("item", options_.item_prompt, "item", true),
                   static_cast<std::int64_t>(described_.size()),
                   [this](std::int64_t i) -> std::optional<ChatInput> {
                     if (i >= static_cast<std::int64_t>(described_.size())) return std::nullopt;
                     const std::int32_t row = described_[static_cast<std::size_t>(i)];
                     return ChatInput{view_.items[static_cast<std::size_t>(row)],
                                      {{"item", describe_item(lines_.read(row), options_.max_item_bytes)},
                                       {"language", options_.language}}};
                   });
  }

  ChatJob user_job() {
    for (std::size_t user = 0; user < view_.users.size(); ++user)
      if (!user_lines(user).empty()) askable_.push_back(static_cast<std::int32_t>(user));
    result_.users_without_text = static_cast<std::int64_t>(view_.users.size() - askable_.size());
    return ChatJob(
        spec("user", options_.user_prompt, "items", false), static_cast<std::int64_t>(askable_.size()),
        [this](std::int64_t i) -> std::optional<ChatInput> {
          if (i >= static_cast<std::int64_t>(askable_.size())) return std::nullopt;
          const auto user = static_cast<std::size_t>(askable_[static_cast<std::size_t>(i)]);
          return ChatInput{view_.users[user], {{"items", user_lines(user)}, {"language", options_.language}}};
        });
  }

  // Summaries and tags of a user's training items that the model has described.
  std::string user_lines(std::size_t user) const {
    std::string text;
    for (const std::int32_t item : view_.history[user]) {
      const auto i = static_cast<std::size_t>(item);
      if (item_tags_[i].empty()) continue;
      text += "- " + result_.item_summaries[i] + " Tags: " + item_tags_[i] + "\n";
    }
    return text;
  }

  RunTotals run_all(ChatJob& job, const std::string& task) {
    RunnerOptions runner = session_.runner();
    runner.task = task;
    // Users share the budget with the items that came before them.
    const RunTotals& before = result_.item_calls;
    if (runner.budget.tokens > 0)
      runner.budget.tokens = std::max(
          1.0, runner.budget.tokens - static_cast<double>(before.prompt_tokens + before.completion_tokens));
    if (runner.budget.cost > 0) runner.budget.cost = std::max(1e-12, runner.budget.cost - before.cost);
    if (runner.budget.minutes > 0)
      runner.budget.minutes = std::max(1e-6, runner.budget.minutes - before.seconds / 60);
    job.rewind();
    const RunTotals totals = run_job(job, *session_.store(), runner, context_);
    if (totals.budget_reached)
      throw Error(
          ErrorCode::kInterrupted,
          fmt::format("budget {} reached after {} of {} calls for {}; all answers are stored. Run the same "
                      "command with a higher --budget to go on.",
                      session_.runner().budget.text(), totals.known + totals.done + totals.dead, job.size(),
                      task));
    return totals;
  }

  // Calls use(position, record) for every question of the job, in order.
  template <typename Use>
  void for_each_answer(ChatJob& job, Use use) {
    job.rewind();
    std::vector<std::string> keys;
    std::int64_t position = 0;
    const auto flush = [&] {
      for (const auto& record : session_.store()->find(keys)) use(position++, record.value_or(CallRecord{}));
      keys.clear();
    };
    while (const std::optional<Ask> ask = job.next()) {
      keys.push_back(ask->id.key);
      if (keys.size() == kChunk) flush();
    }
    flush();
  }

  void collect_items(ChatJob& job) {
    result_.item_summaries.assign(view_.items.size(), "");
    item_tags_.assign(view_.items.size(), "");
    for_each_answer(job, [&](std::int64_t position, const CallRecord& record) {
      const std::int32_t row = described_[static_cast<std::size_t>(position)];
      const auto i = static_cast<std::size_t>(row);
      if (record.state != CallState::kDone) {
        ++result_.item_failures;
        result_.item_summaries[i] = lines_.read(row).title;
        return;
      }
      const ItemReply reply = parse_item_reply(record.reply, rules_).value;
      result_.item_summaries[i] = reply.summary;
      std::vector<std::string> tags;
      for (const auto& level : reply.levels) tags.insert(tags.end(), level.begin(), level.end());
      item_tags_[i] = joined(tags, ", ");
      collector_.add(row, reply);
    });
    check_any_valid("items", result_.item_failures, static_cast<std::int64_t>(described_.size()), job);
    if (result_.item_failures > 0)
      context_.warn(
          std::to_string(result_.item_failures) +
          " items have no valid reply: their title stands for the summary (see --report, --retry-failed)");
  }

  // Good tags and summaries of before are not overwritten by none at all.
  void check_any_valid(const char* what, std::int64_t failures, std::int64_t asked, ChatJob& job) {
    if (failures < asked || asked == 0 || options_.server.dry_run) return;
    std::string problem;
    for_each_answer(job, [&](std::int64_t, const CallRecord& record) {
      if (problem.empty()) problem = record.problem;
    });
    throw Error(ErrorCode::kUnavailable,
                fmt::format("none of the {} {} has a valid reply ({}). Tags and summaries stay as they were. "
                            "Look at --report, mend the cause, and run the same command with --retry-failed.",
                            asked, what, without_full_stop(problem)));
  }

  void collect_users(ChatJob& job) {
    result_.user_summaries.assign(view_.users.size(), "");
    for_each_answer(job, [&](std::int64_t position, const CallRecord& record) {
      const auto user = static_cast<std::size_t>(askable_[static_cast<std::size_t>(position)]);
      const bool done = record.state == CallState::kDone;
      result_.user_failures += !done;
      result_.user_summaries[user] =
          done ? parse_user_reply(record.reply, rules_).value : frequent_tags(user);
    });
    check_any_valid("users", result_.user_failures, static_cast<std::int64_t>(askable_.size()), job);
    if (result_.user_failures > 0)
      context_.warn(std::to_string(result_.user_failures) +
                    " users have no valid reply: the tags of their items stand for the summary");
  }

  std::string frequent_tags(std::size_t user) const {
    std::map<std::string, int> counts;
    for (const std::int32_t item : view_.history[user]) {
      const std::string& tags = item_tags_[static_cast<std::size_t>(item)];
      for (std::size_t at = 0; at < tags.size();) {
        const std::size_t end = std::min(tags.find(", ", at), tags.size());
        ++counts[tags.substr(at, end - at)];
        at = end + 2;
      }
    }
    std::vector<std::pair<int, std::string>> order;
    for (const auto& [tag, count] : counts) order.emplace_back(-count, tag);
    std::sort(order.begin(), order.end());
    std::vector<std::string> best;
    for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), 12); ++i) best.push_back(order[i].second);
    return joined(best, ", ");
  }

  void clean() {
    CleaningOptions cleaning{.rules = {},
                             .hub_share = options_.hub_share,
                             .drop_hubs = options_.drop_hubs,
                             .min_items = options_.min_tag_items};
    if (!options_.tag_rules.empty()) cleaning.rules = load_tag_rules(options_.tag_rules);
    std::tie(result_.tags, result_.cleaning) =
        clean_tags(collector_.graph(), static_cast<std::int64_t>(view_.items.size()), cleaning);
  }

  ImportTotals import(ChatJob& job, const char* what) {
    const ImportTotals totals =
        import_batch(job, *session_.store(), session_.runner().price, options_.import_batch, context_);
    context_.info(
        fmt::format("{}: {} valid answers taken; {} wrong and {} failed ones will be asked again; {} were "
                    "settled before; "
                    "{} answers of the file are not about {}",
                    what, totals.valid, totals.wrong, totals.failed, totals.settled, totals.unknown, what));
    session_.leave_out(totals.refused, format_, context_);
    job.speak(format_);
    return totals;
  }

  // Users' questions are made of the items' answers, so a file without any of the items' may be one of the
  // users' once no item is open.
  void import_items(ChatJob& job) {
    items_imported_ = import(job, "items").ours();
    if (items_imported_ == 0 && forecast_job(job, session_.store(), context_).calls > 0) foreign_file();
    job.rewind();
  }

  void import_users(ChatJob& job) {
    if (import(job, "users").ours() == 0 && items_imported_ == 0) foreign_file();
  }

  [[noreturn]] void foreign_file() const {
    throw Error(
        ErrorCode::kInvalidData,
        options_.import_batch.string() +
            ": none of its answers belongs to a question of this dataset, model, prompt and options. "
            "Name the answers to a file that --export-batch wrote with the same options; answers about "
            "users only fit once every item is answered.");
  }

  // True if there were open calls, which are in the file now.
  bool exported(ChatJob& job, const char* what) {
    job.rewind();
    const BatchTotals totals = export_batch(job, *session_.store(), options_.export_batch, context_);
    if (totals.requests == 0) return false;
    result_.text =
        fmt::format("{} {} requests written to {}{}. Run them, then give the answers to --import-batch.\n",
                    totals.requests, what, options_.export_batch.string(),
                    totals.files > 1 ? fmt::format(" and {} more files", totals.files - 1) : "");
    return true;
  }

  // An answer's size so far, or a guess before there is one.
  double answer_size(const char* kind, double guess) {
    if (!session_.store()) return guess;
    for (const KindReport& told : session_.store()->report(0).kinds)
      if (told.kind == kind && told.done > 0)
        return static_cast<double>(told.completion_tokens) / static_cast<double>(told.done);
    return guess;
  }

  ExtractionResult forecast() {
    ChatJob items = item_job();
    const Forecast told = forecast_job(items, session_.store(), context_);
    double calls = static_cast<double>(told.calls), prompt = told.prompt_tokens;
    double answer = calls * answer_size("item", kItemAnswer);
    const Price& price = session_.runner().price;
    const auto line = [&](const char* what, double n, double in, double out, std::int64_t known) {
      return fmt::format(
          "{:<8}{:>12.0f} calls{:>16.0f} prompt tokens{:>16.0f} answer tokens{:>14.4f} cost   ({} known)\n",
          what, n, in, out, price.of(in, out), known);
    };
    result_.text = line("items", calls, prompt, answer, told.known);
    // Users' prompts are made of replies that do not exist yet: counted by the number of items they will
    // show.
    double users = 0, shown = 0;
    for (const auto& list : view_.history) {
      users += !list.empty();
      shown += static_cast<double>(list.size());
    }
    std::int64_t known_users = 0;
    if (told.calls == 0) {
      collect_items(items);
      ChatJob job = user_job();
      const Forecast exact = forecast_job(job, session_.store(), context_);
      users = static_cast<double>(exact.calls);
      shown = 0;
      prompt = exact.prompt_tokens;
      known_users = exact.known;
    } else {
      prompt = users * estimated_tokens(builtin_prompts()[1].text) + shown * kItemInUserPrompt;
    }
    const double written = users * answer_size("user", kUserAnswer);
    result_.text += line("users", users, prompt, written, known_users);
    result_.text +=
        line("all", calls + users, told.prompt_tokens + prompt, answer + written, told.known + known_users);
    result_.text += "Tokens are estimates (four letters a token); nothing was asked.\n";
    return std::move(result_);
  }

  fs::path folder_;
  const ExtractionOptions& options_;
  const Context& context_;
  TrainingView view_;
  ItemLines lines_;
  Session session_;
  ReplyRules rules_;
  Format format_;
  std::vector<std::int32_t> described_, askable_;  // rows
  std::vector<std::string> item_tags_;
  TagCollector collector_;
  std::int64_t items_imported_ = 0;  // answers of the batch file that were about items
  ExtractionResult result_;
};

}  // namespace

ExtractionResult extract(const fs::path& dataset, const ExtractionOptions& options, const Context& context) {
  ExtractionResult told;
  if (!options.write_prompts.empty()) {
    FileSet files(options.write_prompts);
    for (const BuiltinPrompt& prompt : builtin_prompts())
      files.add(std::string(prompt.file)).write(prompt.text);
    files.commit();
    told.text = "templates written to " + options.write_prompts.string() + "\n";
    return told;
  }
  if (options.report) {
    const std::string where = store_path(options.server, dataset);
    HYPERLLM_CHECK(is_server_store(where) || fs::exists(where), ErrorCode::kIo,
                   where + ": no call store; nothing has been asked yet");
    told.text = report_text(CallStore::open_to_read(where)->report());
    return told;
  }
  check(options, context);
  return Extractor(dataset, options, context).run();
}

}  // namespace hyperllm::llm
