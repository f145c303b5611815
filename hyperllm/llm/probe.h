// Finds out which way of asking for structured output a server really enforces: servers answer 200 with
// unconstrained text to fields that they do not know.
#pragma once

#include "hyperllm/base/progress.h"
#include "hyperllm/llm/chat.h"

namespace hyperllm::llm {

struct Probe {
  Format format;
  bool enforced = false;           // some dialect was; else format.dialect is kPrompt
  bool spoke = false;              // some reply had a text
  std::vector<std::string> notes;  // what each dialect did, for the log
};

// Asks for a story under a schema whose only valid value is a word that no story would contain. A dialect
// counts only if that word comes back. A handful of short calls. Throws kUnavailable if the server does not
// answer, refuses the key, does not know the model, or is no language-model server; kInterrupted at once if
// the user wants to stop. A field that the server refuses by its name (temperature, seed, those of
// sampling.extra) is left out from then on, as those of `start` are from the beginning.
Probe probe_format(const Server& server, const Format& start, const Sampling& sampling,
                   const Context& context);

}  // namespace hyperllm::llm
