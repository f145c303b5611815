#include "hyperllm/frameworks/method.h"

namespace hyperllm::frameworks {

Registry<Method>& methods() {
  static Registry<Method> all = [] {
    Registry<Method> made("framework");
    add_hyperllm(made);
    return made;
  }();
  return all;
}

}  // namespace hyperllm::frameworks
