// Keeps keys and passwords out of every text that people or files get to see.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::net {

// The address as people may see it: user and password become "***".
std::string shown_url(std::string_view url);

// What of an address is secret: user, password, and both as HTTP sends them. Empty if it names neither.
std::vector<std::string> url_secrets(std::string_view url);

// The password alone, as written in the address and as it is meant.
std::vector<std::string> url_passwords(std::string_view url);

// `text` with "***" for each of `secrets`, also where a server wrote it as JSON does (backslashes, \u002f),
// as addresses do (%2F), as HTML does (&#47;), or in several of these ways at once. A secret of fewer than
// eight letters may be a word of its own ("none", "test"): it is replaced only where it stands alone, and
// with `answer`, in a model's own text, only behind "Bearer" or "Basic".
std::string masked(std::string text, std::span<const std::string> secrets, bool answer = false);

// Base64 without padding, the form in which HTTP sends a user and password.
std::string base64_of(std::string_view bytes);

}  // namespace hyperllm::net
