#include "hyperllm/frameworks/method.h"

namespace hyperllm::frameworks {

Registry<Method>& methods() {
  static Registry<Method> all = [] {
    Registry<Method> made("framework");
    add_hyperllm(made);
    add_kar(made);
    add_rlmrec_con(made);
    add_rlmrec_gen(made);
    return made;
  }();
  return all;
}

}  // namespace hyperllm::frameworks
