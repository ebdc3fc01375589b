#include "dlfcn.h"

namespace farside {

DlFailure &dlFailure() {
  thread_local DlFailure failure;
  return failure;
}

} // namespace farside
