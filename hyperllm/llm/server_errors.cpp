#include "hyperllm/llm/server_errors.h"

#include "hyperllm/llm/chat.h"
#include "hyperllm/llm/read_values.h"
#include "hyperllm/net/secrets.h"

namespace hyperllm::llm {
namespace {

constexpr std::string_view kServices[] = {"/chat/completions", "/embeddings", "/api/chat"};

Error unavailable(const std::string& message) { return {ErrorCode::kUnavailable, message}; }

std::string_view without_service(std::string_view url) {
  for (const std::string_view service : kServices)
    if (url.ends_with(service)) return url.substr(0, url.size() - service.size());
  return url;
}

// Where the host of an address ends.
std::size_t end_of_host(std::string_view url) {
  const std::size_t scheme = url.find("://");
  return std::min(url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3), url.size());
}

std::string path_advice(std::string_view base) {
  if (end_of_host(base) < base.size())
    return "Check --base-url (of most servers it ends in /v1) and --model.";
  return "Check --base-url: of most servers it ends in /v1, so try --base-url " + std::string(base) + "/v1.";
}

Error redirected(const net::HttpReply& reply) {
  std::string target = net::shown_url(excerpt(reply.header("location"), 300));
  const std::string known = "the server at " + base_of(reply.url) + " redirects to ";
  const std::string why = " (HTTP " + std::to_string(reply.status) +
                          "). Redirects are not followed, so that the key goes nowhere unasked. ";
  if (target.empty()) return unavailable(known + "nowhere" + why + "Check --base-url.");
  if (target.starts_with('/')) target = reply.url.substr(0, end_of_host(reply.url)) + target;
  const std::string_view base = without_service(target);
  if (base.size() == target.size()) return unavailable(known + target + why + "Check --base-url.");
  return unavailable(known + target + why + "If that is the right place, give it: --base-url " +
                     std::string(base));
}

}  // namespace

std::string base_of(std::string_view url) { return std::string(without_service(url)); }

void check_usable(const net::HttpReply& reply) {
  if (reply.failure == net::HttpFailure::kCertificate)
    throw unavailable("the certificate of " + base_of(reply.url) + " is not trusted (" + reply.error +
                      "); nothing was sent. If an authority of your own signed it, name that authority's "
                      "certificate with --ca-file FILE.pem or in the environment variable SSL_CERT_FILE.");
  if (reply.status == 401 || reply.status == 403)
    throw unavailable("the server at " + base_of(reply.url) + " refuses the key (" +
                      error_message(reply.status, reply.body) +
                      "). Put a valid one into the environment variable that --api-key-env names.");
  if (reply.status == 402)
    throw unavailable("the server at " + base_of(reply.url) + " wants to be paid first (" +
                      error_message(reply.status, reply.body) +
                      "). What was answered is stored; run the same command to go on.");
  if (reply.status >= 300 && reply.status < 400) throw redirected(reply);
}

bool is_unknown_path(const net::HttpReply& reply) { return reply.status == 404 || reply.status == 405; }

Error unknown_path(const net::HttpReply& reply) {
  const std::string base = base_of(reply.url);
  return unavailable("the server at " + base + " knows no such model or path (" +
                     error_message(reply.status, reply.body) + "). " + path_advice(base));
}

Error no_model_server(const std::string& url, const std::string& what) {
  const std::string base = base_of(url);
  return unavailable("what answers at " + base + " is no language-model server: " + what + ". " +
                     path_advice(base));
}

}  // namespace hyperllm::llm
