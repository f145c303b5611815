// Replies after which no other request can succeed, said with cause and remedy.
#pragma once

#include <string>
#include <string_view>

#include "hyperllm/base/error.h"
#include "hyperllm/net/http.h"

namespace hyperllm::llm {

// Throws kUnavailable if the reply is about the server and not about the question: a key or a payment that it
// wants, a redirect, a certificate that is not trusted.
void check_usable(const net::HttpReply& reply);

// True for replies of a server that has no such model or path.
bool is_unknown_path(const net::HttpReply& reply);
Error unknown_path(const net::HttpReply& reply);

// The server answers 200, but not as a language model: `what` says how.
Error no_model_server(const std::string& url, const std::string& what);

// The address that --base-url should have, of a request's own address.
std::string base_of(std::string_view url);

}  // namespace hyperllm::llm
