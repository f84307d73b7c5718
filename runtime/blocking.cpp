// blocking.cpp - the scope round long work, in which the embedding language may run other threads.
#include "runtime/ops.h"

namespace bolide {
namespace {
BlockingHooks g_hooks;
}

void set_blocking_hooks(BlockingHooks hooks) { g_hooks = hooks; }
BlockingScope::BlockingScope(bool worth_it) {
  if (worth_it && g_hooks.enter) token_ = g_hooks.enter();
}
BlockingScope::~BlockingScope() {
  if (token_) g_hooks.leave(token_);
}

}  // namespace bolide
