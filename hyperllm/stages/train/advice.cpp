#include "hyperllm/stages/train/advice.h"

#include <sstream>

#include "hyperllm/base/text_table.h"

namespace hyperllm::stages::train {
namespace {

std::string option(const Ended& ended, const char* name) { return "'" + ended.options + name + "'"; }

}  // namespace

std::optional<std::string> advice(const Ended& ended) {
  if (ended.epochs == 0) return std::nullopt;
  if (ended.score <= 0)
    return ended.phase +
           ": no held-out item was among the first 20 of any user, so validation could not tell one epoch "
           "from another. Look at the validation split: `hyperllm prepare` with a larger 'valid_ratio'.";
  if (ended.best_epoch == 0)
    return ended.phase + ": none of the " + std::to_string(ended.epochs) +
           " epochs was better on validation than the start, so the result is that start: "
           "random points, or what phase 1 or the embeddings gave. Try another " +
           option(ended, "lr") + " (now " + (std::ostringstream() << ended.lr).str() + ") or another " +
           option(ended, "objective") + " (now " + ended.objective + ").";
  if (ended.best_epoch == ended.epochs && ended.epochs == ended.most_epochs)
    return ended.phase + ": the best epoch is the last one, " + std::to_string(ended.epochs) +
           ", so training was cut off before it was done. Try more " + option(ended, "epochs") + ".";
  return std::nullopt;
}

std::optional<std::string> advice_on_popularity(const training::Metrics& model,
                                                const training::Metrics& popular) {
  if (training::score_of(model) >= training::score_of(popular)) return std::nullopt;
  return "on validation the model ranks worse than the items' popularity, which is the same for everybody: " +
         model[1].first + " " + fixed(model[1].second, 4) + " against " + fixed(popular[1].second, 4) +
         ". It has not learnt what users like. Try another 'lr', 'objective' or more 'epochs'; "
         "`--model popular` is that ranking.";
}

}  // namespace hyperllm::stages::train
