#include "hyperllm/net/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <unordered_map>

#include "hyperllm/base/error.h"
#include "hyperllm/net/secrets.h"

namespace hyperllm::net {
namespace {

constexpr std::size_t kMostHeaderBytes = std::size_t{256} << 10;

struct Transfer {
  HttpRequest request;
  HttpReply reply;
  HttpLoop::Done done;
  curl_slist* headers = nullptr;
  std::size_t header_bytes = 0;
  bool too_large = false;
  char words[CURL_ERROR_SIZE] = {};

  ~Transfer() { curl_slist_free_all(headers); }
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.too_large = transfer.reply.body.size() + size * count > transfer.request.most_bytes;
  if (transfer.too_large) return 0;
  transfer.reply.body.append(data, size * count);
  return size * count;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  auto& headers = transfer.reply.headers;
  const std::string_view line(data, size * count);
  transfer.header_bytes += line.size();
  transfer.too_large = transfer.header_bytes > kMostHeaderBytes;
  if (transfer.too_large) return 0;
  if (line.starts_with("HTTP/")) headers.clear();  // an interim reply came first
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) value.remove_prefix(1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.remove_suffix(1);
  headers.emplace_back(std::move(name), value);
  return line.size();
}

HttpFailure failure_of(const Transfer& transfer, CURLcode result) {
  if (transfer.too_large) return HttpFailure::kTooLarge;
  if (result == CURLE_OPERATION_TIMEDOUT) return HttpFailure::kTimeout;
  for (const CURLcode code :
       {CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR})
    if (result == code) return HttpFailure::kCertificate;
  return HttpFailure::kConnection;
}

std::string words_of(const Transfer& transfer, CURLcode result) {
  if (transfer.too_large)
    return "the reply is larger than " + std::to_string(transfer.request.most_bytes >> 20) +
           " MiB, or its headers are, and was broken off";
  const std::string_view words = transfer.words;
  return std::string(words.empty() ? curl_easy_strerror(result) : words);
}

// The one door through which a server's texts come in.
void hide_secrets(const HttpRequest& request, HttpReply& reply) {
  std::vector<std::string> secrets = url_secrets(request.url);
  secrets.insert(secrets.end(), request.secrets.begin(), request.secrets.end());
  reply.url = shown_url(request.url);
  if (secrets.empty()) return;
  reply.body = masked(std::move(reply.body), secrets, reply.status == 200);
  reply.error = masked(std::move(reply.error), secrets);
  for (auto& [name, value] : reply.headers) {
    name = masked(std::move(name), secrets);
    value = masked(std::move(value), secrets);
  }
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; });
}

}  // namespace

std::string_view HttpReply::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

struct HttpLoop::State {
  CURLM* multi = nullptr;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers;
  std::vector<CURL*> idle;  // handles to use again

  CURL* handle() {
    if (idle.empty()) return curl_easy_init();
    CURL* easy = idle.back();
    idle.pop_back();
    curl_easy_reset(easy);
    return easy;
  }

  void finish(CURL* easy, CURLcode result) {
    const auto found = transfers.find(easy);
    std::unique_ptr<Transfer> transfer = std::move(found->second);
    transfers.erase(found);
    HttpReply& reply = transfer->reply;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME, &reply.seconds);
    if (result == CURLE_OK) {
      reply.status = static_cast<int>(status);
    } else {
      reply.failure = failure_of(*transfer, result);
      reply.error = words_of(*transfer, result);
    }
    hide_secrets(transfer->request, reply);
    curl_multi_remove_handle(multi, easy);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);  // it ends with the transfer
    idle.push_back(easy);
    transfer->done(std::move(reply));
  }
};

HttpLoop::HttpLoop() : state_(std::make_unique<State>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  state_->multi = curl_multi_init();
  HYPERLLM_CHECK(state_->multi, ErrorCode::kUnavailable, "libcurl could not be started");
}

HttpLoop::~HttpLoop() {
  for (auto& [easy, transfer] : state_->transfers) {
    curl_multi_remove_handle(state_->multi, easy);
    curl_easy_cleanup(easy);
  }
  for (CURL* easy : state_->idle) curl_easy_cleanup(easy);
  curl_multi_cleanup(state_->multi);
}

void HttpLoop::send(HttpRequest request, Done done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->request = std::move(request);
  transfer->done = std::move(done);
  const HttpRequest& r = transfer->request;
  for (const std::string& header : r.headers)
    HYPERLLM_CHECK(
        !has_control(header), ErrorCode::kInvalidArgument,
        "a line end or another control character in the header '" + header.substr(0, header.find(':')) + "'");
  CURL* easy = state_->handle();
  for (const std::string& header : r.headers)
    transfer->headers = curl_slist_append(transfer->headers, header.c_str());
  // Without this, libcurl waits for the server's leave before it sends a long body.
  transfer->headers = curl_slist_append(transfer->headers, "Expect:");
  curl_easy_setopt(easy, CURLOPT_URL, r.url.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "hyperllm");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->words);
  if (!r.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, r.ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(r.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(r.connect_timeout.count()));
  if (!r.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r.body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.body.size()));
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer.get());
  state_->transfers.emplace(easy, std::move(transfer));
  curl_multi_add_handle(state_->multi, easy);
}

void HttpLoop::turn(std::chrono::milliseconds wait) {
  int running = 0;
  curl_multi_perform(state_->multi, &running);
  // Waits only if nothing has finished yet.
  if (running == in_flight()) {
    curl_multi_poll(state_->multi, nullptr, 0, static_cast<int>(wait.count()), nullptr);
    curl_multi_perform(state_->multi, &running);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(state_->multi, &left))
    if (message->msg == CURLMSG_DONE) state_->finish(message->easy_handle, message->data.result);
}

int HttpLoop::in_flight() const { return static_cast<int>(state_->transfers.size()); }

double parse_http_date(std::string_view text) {
  return static_cast<double>(curl_getdate(std::string(text).c_str(), nullptr));
}

HttpReply fetch(HttpRequest request, const std::stop_token& stop) {
  HttpLoop loop;
  HttpReply out;
  bool finished = false;
  loop.send(std::move(request), [&](HttpReply&& reply) {
    out = std::move(reply);
    finished = true;
  });
  while (!finished && !stop.stop_requested()) loop.turn(std::chrono::milliseconds(100));
  if (!finished) out.failure = HttpFailure::kStopped, out.error = "stopped";
  return out;
}

}  // namespace hyperllm::net
