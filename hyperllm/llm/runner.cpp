#include "hyperllm/llm/runner.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <thread>

#include "hyperllm/base/error.h"
#include "hyperllm/llm/read_values.h"
#include "hyperllm/llm/server_errors.h"

namespace hyperllm::llm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kRemedy =
    ". The run ends here, so that no more is spent in vain; nothing but the call store was written. Mend the "
    "cause, then run the same command with --retry-failed.";
constexpr std::size_t kLongestKept = 64000;  // bytes of an answer that is of no use
constexpr double kPatience = 10;             // seconds that calls in flight have once the user wants to stop

// A request's worth of questions on its way.
struct Work {
  std::vector<Ask> asks;
  History history;
  int failures = 0;  // of the server, on this request
  double first_failure = 0;
  double not_before = 0;
  double tokens = 0;  // reserved: prompt, and the longest answer
};

bool worth_retrying(int status) {
  return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

class Runner {
 public:
  Runner(Job& job, CallStore& store, const RunnerOptions& options, const Context& context)
      : job_(job),
        store_(store),
        options_(options),
        context_(context),
        pacer_(options.pace),
        random_(1, "backoff"),
        progress_(context, options.task, job.size()) {}

  RunTotals run() {
    while (true) {
      const bool stopping = context_.stop.stop_requested();
      if (stopping && stopped_at_ < 0) stopped_at_ = now();
      if (stopping && now() > stopped_at_ + kPatience) break;
      if (!stopping) {
        take_in();
        send_ready();
      }
      if (loop_.in_flight() == 0 && (stopping || finished())) break;
      turn();
    }
    context_.check_stop(options_.task);
    totals_.seconds = now();
    return totals_;
  }

 private:
  double now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  bool finished() {
    if (totals_.budget_reached) return true;
    if (!ready_.empty() || !waiting_.empty() || !exhausted_) return false;
    if (theirs_ == 0) return true;
    // Others are at the rest: look again until all is answered, or their owner dies and it falls to us.
    progress_.advance(0, "waiting for " + std::to_string(theirs_) + " calls of other workers");
    std::this_thread::sleep_for(std::chrono::duration<double>(options_.poll_others));
    job_.rewind();
    taken_ = 0;
    exhausted_ = false;
    theirs_ = 0;
    seen_before_ = true;
    return false;
  }

  // Claims questions a few hundred at a time, so that a long job needs little memory and workers share
  // evenly.
  void take_in() {
    const auto enough = static_cast<std::size_t>(options_.pace.concurrency) * job_.pack();
    while (!exhausted_ && !totals_.budget_reached && ready_.size() < enough) {
      std::vector<Ask> asks;
      std::vector<CallId> ids;
      while (asks.size() < std::max<std::size_t>(enough, 16)) {
        std::optional<Ask> ask = job_.next();
        if (!ask) {
          exhausted_ = true;
          break;
        }
        ++taken_;
        ids.push_back(ask->id);
        asks.push_back(std::move(*ask));
      }
      if (asks.empty()) return;
      const std::vector<Claimed> claims = store_.claim(ids);
      std::vector<Ask> fresh;
      for (std::size_t i = 0; i < asks.size(); ++i) admit(std::move(asks[i]), claims[i], fresh);
      pack(std::move(fresh));
    }
  }

  void admit(Ask ask, const Claimed& claimed, std::vector<Ask>& fresh) {
    if (claimed.claim == Claim::kTheirs) {
      ++theirs_;
    } else if (claimed.claim != Claim::kMine) {
      answered_well_ = answered_well_ || claimed.claim == Claim::kDone;
      if (seen_before_) return;
      ++totals_.known;
      progress_.start_at(progress_.done() + 1);
    } else if (claimed.attempts == 0) {
      fresh.push_back(std::move(ask));
    } else {
      Work work = work_of({std::move(ask)});
      for (const Attempt& attempt : store_.attempts(work.asks[0].id.key)) {
        if (attempt.outcome != "invalid") continue;
        ++work.history.wrong;
        work.history.last_reply = attempt.reply;
        work.history.last_problem = attempt.problem;
      }
      ready_.push_back(std::move(work));
    }
  }

  void pack(std::vector<Ask> asks) {
    for (std::size_t at = 0; at < asks.size(); at += job_.pack()) {
      const std::size_t end = std::min(asks.size(), at + job_.pack());
      ready_.push_back(work_of({std::make_move_iterator(asks.begin() + static_cast<std::ptrdiff_t>(at)),
                                std::make_move_iterator(asks.begin() + static_cast<std::ptrdiff_t>(end))}));
    }
  }

  Work work_of(std::vector<Ask> asks) const {
    Work work;
    for (const Ask& ask : asks) work.tokens += ask.prompt_tokens;
    work.tokens += job_.completion_tokens();
    work.asks = std::move(asks);
    return work;
  }

  void send_ready() {
    const double time = now();
    while (!waiting_.empty() && waiting_.front().not_before <= time) {
      std::pop_heap(waiting_.begin(), waiting_.end(), later);
      ready_.push_front(std::move(waiting_.back()));
      waiting_.pop_back();
    }
    while (!ready_.empty() && pacer_.may_send(time, loop_.in_flight(), ready_.front().tokens)) {
      if (!affordable(ready_.front(), time)) {
        // What is in flight may turn out cheaper than what was set aside for it.
        totals_.budget_reached = loop_.in_flight() == 0;
        return;
      }
      Work work = std::move(ready_.front());
      ready_.pop_front();
      send(std::move(work), time);
    }
  }

  static bool later(const Work& a, const Work& b) { return a.not_before > b.not_before; }

  // Counts what is in flight at its highest possible price, so that a ceiling is never passed by more than
  // the error of an estimate.
  bool affordable(const Work& work, double time) const {
    const Budget& budget = options_.budget;
    const double tokens = static_cast<double>(totals_.prompt_tokens + totals_.completion_tokens);
    const double answer = job_.completion_tokens();
    if (totals_.budget_reached) return false;
    if (budget.minutes > 0 && time > budget.minutes * 60) return false;
    if (budget.tokens > 0 && tokens + reserved_tokens_ + work.tokens > budget.tokens) return false;
    return budget.cost <= 0 ||
           totals_.cost + reserved_cost_ + options_.price.of(work.tokens - answer, answer) <= budget.cost;
  }

  void reserve(const Work& work, double sign) {
    const double answer = job_.completion_tokens();
    reserved_tokens_ += sign * work.tokens;
    reserved_cost_ += sign * options_.price.of(work.tokens - answer, answer);
  }

  void send(Work work, double time) {
    pacer_.sent(time, work.tokens);
    reserve(work, 1);
    ++totals_.requests;
    net::HttpRequest request = job_.request(work.asks, work.history);
    auto shared = std::make_shared<Work>(std::move(work));
    loop_.send(std::move(request),
               [this, shared](net::HttpReply&& reply) { receive(std::move(*shared), reply); });
  }

  void turn() {
    double wait = 0.1;
    if (!waiting_.empty()) wait = std::min(wait, std::max(0.0, waiting_.front().not_before - now()));
    const double pause = pacer_.wait(now());
    if (!ready_.empty() && pause > 0) wait = std::min(wait, pause);
    if (!ready_.empty() && loop_.in_flight() == 0)
      tell_wait(pause, "the rate limit lets the next request go in");
    if (loop_.in_flight() == 0 && wait <= 0) return;
    loop_.turn(std::chrono::milliseconds(static_cast<int>(wait * 1000) + 1));
    store_.record(attempts_);
    attempts_.clear();
    if (error_) std::rethrow_exception(error_);
  }

  void receive(Work work, const net::HttpReply& reply) {
    reserve(work, -1);
    pacer_.learn(reply, now());
    try {
      if (reply.status == 200)
        answered(std::move(work), reply);
      else
        failed(std::move(work), reply);
    } catch (...) {  // not through libcurl's frames, and not before what is known is recorded
      error_ = std::current_exception();
    }
  }

  void answered(Work work, const net::HttpReply& reply) {
    Answered answer;
    try {
      answer = job_.read(work.asks, reply.body);
    } catch (const Error& error) {
      // None of the first replies was of a model: it is the server, and waiting does not mend it.
      if (!spoken_ && ++malformed_ >= kHopeless) {
        note_attempts(work, "malformed", reply, error.what(), CallState::kPending);
        throw no_model_server(reply.url, error.what());
      }
      return again(std::move(work), "malformed", reply, error.what(), -1);
    }
    pacer_.succeeded();
    last_success_ = now();
    spoken_ = true;
    const double cost = options_.price.of(static_cast<double>(answer.prompt_tokens),
                                          static_cast<double>(answer.completion_tokens));
    totals_.prompt_tokens += answer.prompt_tokens;
    totals_.completion_tokens += answer.completion_tokens;
    totals_.cost += cost;
    const auto share = static_cast<std::int64_t>(work.asks.size());
    for (std::size_t i = 0; i < work.asks.size(); ++i) {
      Attempt attempt = attempt_of(work.asks[i], reply);
      attempt.prompt_tokens = answer.prompt_tokens / share + (i == 0 ? answer.prompt_tokens % share : 0);
      attempt.completion_tokens =
          answer.completion_tokens / share + (i == 0 ? answer.completion_tokens % share : 0);
      attempt.cost = cost / static_cast<double>(share);
      judge(std::move(work.asks[i]), work.history, std::move(answer.judged.at(i)), std::move(attempt));
    }
  }

  void judge(Ask ask, History history, Judged judged, Attempt attempt) {
    attempt.outcome = judged.valid ? "ok" : "invalid";
    attempt.reply = std::move(judged.reply);
    if (!judged.valid && attempt.reply.size() > kLongestKept) attempt.reply.resize(kLongestKept);
    attempt.problem = judged.problem;
    attempt.mended = std::move(judged.mended);
    if (judged.valid) {
      attempt.state = CallState::kDone;
      ++totals_.done;
      answered_well_ = true;
    } else if (++history.wrong >= options_.wrong_answers) {
      attempt.state = CallState::kDead;
      ++totals_.dead;
    } else {
      history.last_reply = attempt.reply;
      history.last_problem = std::move(judged.problem);
      Work work = work_of({std::move(ask)});
      work.tokens += estimated_tokens(history.last_reply);
      work.history = std::move(history);
      ready_.push_front(std::move(work));
    }
    const bool over = attempt.state != CallState::kPending;
    const std::string problem = attempt.problem;
    useless_ += attempt.state != CallState::kDone;
    attempts_.push_back(std::move(attempt));
    if (over) progress_.advance(1, note());
    stop_if_hopeless(problem);
  }

  void failed(Work work, const net::HttpReply& reply) {
    check_usable(reply);
    if (is_unknown_path(reply)) throw unknown_path(reply);
    if (reply.failure == net::HttpFailure::kTimeout)
      return again(std::move(work), "timeout", reply, "no reply in time", -1);
    if (reply.failure == net::HttpFailure::kTooLarge)
      return again(std::move(work), "malformed", reply, reply.error, -1);
    if (reply.failure != net::HttpFailure::kNone)
      return again(std::move(work), "connection", reply, reply.error, -1);
    const std::string message = error_message(reply.status, reply.body);
    const std::string_view advice = reply.header("x-should-retry");
    if (advice == "true" || (worth_retrying(reply.status) && advice != "false")) {
      const double seconds = retry_after(reply, static_cast<double>(std::time(nullptr)));
      if (reply.status == 429 || reply.status == 503) pacer_.overloaded(now(), seconds);
      return again(std::move(work), "http", reply, message, seconds);
    }
    give_up(std::move(work), "http", reply, message);
  }

  // A failure that may pass. After too many, a dead letter; or, if nobody else fared better, an outage.
  void again(Work work, const std::string& outcome, const net::HttpReply& reply, const std::string& problem,
             double asked) {
    if (work.failures++ == 0) work.first_failure = now();
    if (work.failures >= options_.tries) {
      if (last_success_ < work.first_failure) {
        note_attempts(work, outcome, reply, problem, CallState::kPending);
        throw Error(ErrorCode::kUnavailable, "the server has not answered any of " +
                                                 std::to_string(work.failures) + " tries (" + problem +
                                                 "). What was answered is stored; run the same "
                                                 "command to go on.");
      }
      return give_up(std::move(work), outcome, reply, problem);
    }
    note_attempts(work, outcome, reply, problem, CallState::kPending);
    const double delay = backoff(work.failures, asked, options_.backoff_base, random_);
    const bool wish = asked >= 0 && delay == asked;
    tell_wait(delay, wish ? "the server asks to wait" : "the next try is in", problem);
    work.not_before = now() + delay;
    waiting_.push_back(std::move(work));
    std::push_heap(waiting_.begin(), waiting_.end(), later);
  }

  // Says once that nothing happens for a while, and why.
  void tell_wait(double seconds, const char* what, const std::string& why = {}) {
    if (seconds < options_.silence || now() < told_until_) return;
    told_until_ = now() + seconds;
    char number[32];
    std::snprintf(number, sizeof number, " %.0f s", seconds);
    context_.info(what + (number + (why.empty() ? "" : " (" + why + ")")));
  }

  void give_up(Work work, const std::string& outcome, const net::HttpReply& reply,
               const std::string& problem) {
    const auto count = static_cast<std::int64_t>(work.asks.size());
    if (count > 1) {  // one question is to blame, or the request's size: each gets its own
      note_attempts(work, outcome, reply, problem, CallState::kPending);
      for (Ask& ask : work.asks) ready_.push_back(work_of({std::move(ask)}));
      return;
    }
    note_attempts(work, outcome, reply, problem, CallState::kDead);
    totals_.dead += count;
    ++useless_;
    refused_ += outcome == "http";
    progress_.advance(count, note());
    stop_if_hopeless(problem);
  }

  void stop_if_hopeless(const std::string& problem) {
    if (answered_well_ || (totals_.dead < kHopeless && useless_ < 3 * kHopeless)) return;
    if (any_known()) {
      answered_well_ = true;
      return;
    }
    const std::string count = std::to_string(useless_);
    const bool refused = refused_ == useless_;
    throw Error(ErrorCode::kUnavailable,
                (refused ? "the server refuses every request: "
                         : "none of the first " + count + " answers is of use; the last: ") +
                    without_full_stop(problem) + kRemedy);
  }

  // Whether any question of the job, also one that is still to come, has a valid answer in the store.
  bool any_known() {
    const std::int64_t taken = taken_;
    bool found = false;
    job_.rewind();
    while (!found) {
      std::vector<std::string> keys;
      while (keys.size() < 512) {
        const std::optional<Ask> ask = job_.next();
        if (!ask) break;
        keys.push_back(ask->id.key);
      }
      if (keys.empty()) break;
      for (const auto& record : store_.find(keys))
        found = found || (record && record->state == CallState::kDone);
    }
    job_.rewind();
    for (std::int64_t i = 0; i < taken; ++i) job_.next();
    return found;
  }

  void note_attempts(const Work& work, const std::string& outcome, const net::HttpReply& reply,
                     const std::string& problem, CallState state) {
    for (const Ask& ask : work.asks) {
      Attempt attempt = attempt_of(ask, reply);
      attempt.outcome = outcome;
      attempt.problem = problem;
      attempt.reply = reply.body.substr(0, 2000);
      attempt.state = state;
      attempts_.push_back(std::move(attempt));
    }
  }

  static Attempt attempt_of(const Ask& ask, const net::HttpReply& reply) {
    Attempt attempt;
    attempt.key = ask.id.key;
    attempt.status = reply.status;
    attempt.seconds = reply.seconds;
    return attempt;
  }

  std::string note() const {
    char text[96];
    const double tokens = static_cast<double>(totals_.prompt_tokens + totals_.completion_tokens);
    std::snprintf(text, sizeof text, "%.0f tokens/s, %lld failed", tokens / std::max(now(), 1e-3),
                  static_cast<long long>(totals_.dead));
    std::string note = text;
    if (options_.price.input > 0 || options_.price.output > 0) {
      std::snprintf(text, sizeof text, ", cost %.4f", totals_.cost);
      note += text;
    }
    return note;
  }

  Job& job_;
  CallStore& store_;
  const RunnerOptions& options_;
  const Context& context_;
  net::HttpLoop loop_;
  Pacer pacer_;
  Random random_;
  Progress progress_;
  RunTotals totals_;
  Clock::time_point start_ = Clock::now();
  std::deque<Work> ready_;
  std::vector<Work> waiting_;  // a heap by not_before
  std::vector<Attempt> attempts_;
  std::exception_ptr error_;
  double reserved_tokens_ = 0, reserved_cost_ = 0, last_success_ = -1, stopped_at_ = -1, told_until_ = -1;
  std::int64_t theirs_ = 0;
  std::int64_t taken_ = 0;  // questions since the job's beginning
  std::int64_t useless_ = 0, refused_ = 0, malformed_ = 0;
  bool spoken_ = false;         // some reply was that of a model
  bool answered_well_ = false;  // some answer is valid
  bool exhausted_ = false, seen_before_ = false;
};

}  // namespace

RunTotals run_job(Job& job, CallStore& store, const RunnerOptions& options, const Context& context) {
  return Runner(job, store, options, context).run();
}

Forecast forecast_job(Job& job, CallStore* store, const Context& context) {
  Forecast forecast;
  Progress progress(context, "counting calls", job.size());
  std::vector<std::string> keys;
  std::vector<double> tokens;
  const auto flush = [&] {
    std::vector<std::optional<CallRecord>> found(keys.size());
    if (store) found = store->find(keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const bool known = found[i] && found[i]->state != CallState::kPending;
      forecast.known += known;
      forecast.calls += !known;
      forecast.prompt_tokens += known ? 0 : tokens[i];
    }
    progress.advance(static_cast<std::int64_t>(keys.size()));
    keys.clear();
    tokens.clear();
  };
  while (std::optional<Ask> ask = job.next()) {
    keys.push_back(ask->id.key);
    tokens.push_back(ask->prompt_tokens);
    if (keys.size() < 1024) continue;
    flush();
    context.check_stop("counting calls");
  }
  flush();
  return forecast;
}

}  // namespace hyperllm::llm
