#include "hyperllm/llm/pacing.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "hyperllm/base/error.h"

namespace hyperllm::llm {
namespace {

constexpr double kLongestWish = 120;
constexpr double kLongestBackoff = 30;

// Reads a number at the front of `text` and removes it; false if there is none.
bool take_number(std::string_view& text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return std::isfinite(value);
}

}  // namespace

double parse_duration(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {{"ms", 1e-3}, {"us", 1e-6}, {"s", 1},
                                                                   {"m", 60},    {"h", 3600},  {"d", 86400}};
  if (text.empty()) return -1;
  double seconds = 0;
  while (!text.empty()) {
    double value = 0;
    if (!take_number(text, value) || value < 0) return -1;
    if (text.empty()) return seconds + value;
    const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                    [&](const auto& u) { return text.starts_with(u.first); });
    if (unit == std::end(kUnits)) return -1;
    seconds += value * unit->second;
    text.remove_prefix(unit->first.size());
  }
  return seconds;
}

double retry_after(const net::HttpReply& reply, double unix_now) {
  double value = 0;
  std::string_view text = reply.header("retry-after-ms");
  if (take_number(text, value) && text.empty() && value >= 0) return value / 1000;
  text = reply.header("retry-after");
  if (text.empty()) return -1;
  std::string_view rest = text;
  if (take_number(rest, value)) return rest.empty() && value >= 0 ? value : -1;
  const double date = net::parse_http_date(text);
  return date < 0 ? -1 : std::max(0.0, date - unix_now);
}

double Pacer::fill(const Bucket& bucket, double rate, double now) {
  if (!bucket.started) return rate / 60;  // a second's worth to begin with
  return std::min(rate / 60, bucket.level + (now - bucket.at) * rate / 60);
}

void Pacer::take(Bucket& bucket, double rate, double now, double amount) {
  if (rate <= 0) return;
  bucket = {fill(bucket, rate, now) - amount, now, true};
}

bool Pacer::may_send(double now, int in_flight, double tokens) {
  if (now < paused_until_ || in_flight >= static_cast<int>(allowed_)) return false;
  if (requests_.known(now) && requests_.left < 1) return false;
  // With nothing in flight a request larger than what is left may still be right: the server decides.
  if (tokens_.known(now) && tokens_.left < tokens && in_flight > 0) return false;
  if (limits_.requests_per_minute > 0 && fill(request_bucket_, limits_.requests_per_minute, now) < 0)
    return false;
  return limits_.tokens_per_minute <= 0 || fill(token_bucket_, limits_.tokens_per_minute, now) >= 0;
}

double Pacer::wait(double now) const {
  double until = std::max(paused_until_, now);
  if (requests_.known(now) && requests_.left < 1) until = std::max(until, requests_.until);
  const auto refill = [&](const Bucket& bucket, double rate) {
    const double level = rate > 0 ? fill(bucket, rate, now) : 0;
    if (level < 0) until = std::max(until, now - level * 60 / rate);
  };
  refill(request_bucket_, limits_.requests_per_minute);
  refill(token_bucket_, limits_.tokens_per_minute);
  return until - now;
}

void Pacer::sent(double now, double tokens) {
  requests_.left -= 1;
  tokens_.left -= tokens;
  take(request_bucket_, limits_.requests_per_minute, now, 1);
  take(token_bucket_, limits_.tokens_per_minute, now, tokens);
}

void Pacer::learn(const net::HttpReply& reply, double now) {
  const auto read = [&](Told& told, const char* remaining, const char* reset) {
    double left = -1;
    std::string_view text = reply.header(remaining);
    if (text.empty() || !take_number(text, left) || !text.empty()) return;
    const double seconds = parse_duration(reply.header(reset));
    if (left < 0 || seconds <= 0) return;
    told = {left, now + std::min(seconds, kLongestWish)};
  };
  read(requests_, "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests");
  read(tokens_, "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens");
}

void Pacer::overloaded(double now, double seconds) {
  if (seconds > 0) paused_until_ = std::max(paused_until_, now + std::min(seconds, kLongestWish));
  // One wave of refusals is one piece of news.
  if (now - last_cut_ < 0.5) return;
  last_cut_ = now;
  allowed_ = std::max(1.0, allowed_ / 2);
}

void Pacer::succeeded() {
  allowed_ = std::min(static_cast<double>(limits_.concurrency), allowed_ + 1 / allowed_);
}

double backoff(int failures, double asked, double base, Random& random) {
  if (asked >= 0 && asked <= kLongestWish) return asked;
  const double delay = std::min(base * std::pow(2.0, std::min(failures - 1, 20)), kLongestBackoff);
  return delay * random.uniform(0.5, 1.0);
}

Budget Budget::parse(const std::vector<std::string>& terms) {
  Budget budget;
  for (const std::string& term : terms) {
    const std::size_t equals = std::min(term.find('='), term.size());
    const std::string name = term.substr(0, equals);
    std::string_view rest = std::string_view(term).substr(std::min(equals + 1, term.size()));
    double value = 0;
    const bool number = take_number(rest, value);
    if (rest == "k" || rest == "K") value *= 1e3, rest = {};
    if (rest == "M" || rest == "m") value *= 1e6, rest = {};
    double* target = name == "tokens" ? &budget.tokens : name == "cost" ? &budget.cost : nullptr;
    if (name == "minutes") target = &budget.minutes;
    HYPERLLM_CHECK(target && number && rest.empty() && value > 0, ErrorCode::kInvalidArgument,
                   "option 'budget': '" + term +
                       "' is no ceiling; expected tokens=N, cost=X or minutes=M, such as tokens=2M,cost=5");
    *target = value;
  }
  return budget;
}

std::string Budget::text() const {
  std::string text;
  const auto add = [&](const char* name, double value) {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    if (value > 0) text += (text.empty() ? "" : ",") + std::string(name) + "=" + std::string(buffer, end);
  };
  add("tokens", tokens);
  add("cost", cost);
  add("minutes", minutes);
  return text;
}

}  // namespace hyperllm::llm
