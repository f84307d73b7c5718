// cuda_emulation.cpp - the scheduler: gives fibers their turn, lets barriers and warp collectives pass.
#include "cuda_emulation.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>

#include "fiber.hpp"

namespace cuda_emulation {

Config config;
Counters counters;
constinit thread_local Thread* current = nullptr;

namespace {

// One host thread that runs blocks, with the fibers it has made so far.
struct Worker {
  std::vector<Fiber> fibers;
  std::vector<int> free_fibers;
  HostContext host;
  Fiber* running = nullptr;
  std::exception_ptr error;
  Block* block = nullptr;
  std::vector<unsigned> order;  // in which threads start
  size_t next = 0;              // first of `order` not yet started
  ~Worker() {
    for (auto& fiber : fibers) munmap(fiber.stack, fiber.size);
  }
};
thread_local Worker* worker = nullptr;

std::string where(const Thread& t) {
  char text[160];
  std::snprintf(text, sizeof text, "block(%u,%u,%u) thread(%u,%u,%u)", t.block->index.x, t.block->index.y,
                t.block->index.z, t.index.x, t.index.y, t.index.z);
  return text;
}

// ------------------------------------------------------------------------------------------------- fibers

// Runs thread after thread on this stack until one blocks: kernels without barriers never switch.
void run_threads(Fiber& fiber) {
  for (;;) {
    Thread& thread = *fiber.thread;
    current = &thread;
    thread.fiber = static_cast<int>(&fiber - worker->fibers.data());
    happens_after(thread.block);  // the launch happens before the thread
    ignore_end();
    try {
      (*thread.block->body)();
    } catch (...) {
      if (!worker->error) worker->error = std::current_exception();
    }
    ignore_begin();
    thread.state = State::Done;
    happens_before(&thread.block->done_tag);
#if defined(__SANITIZE_THREAD__)
    return;  // every thread of a block keeps its own fiber, hence its own clock
#else
    if (worker->error || worker->next >= worker->order.size()) return;
    fiber.thread = &worker->block->threads[worker->order[worker->next++]];
#endif
  }
}

CUDA_EMULATION_NO_SANITIZE void fiber_entry() {
  ignore_begin();
  fiber_started(worker->host);
  Fiber& fiber = *worker->running;
  run_threads(fiber);
  fiber.thread = nullptr;
  ignore_end();
  switch_to_host(fiber, worker->host, true);
  std::abort();
}

int take_fiber() {
  int i;
  if (worker->free_fibers.empty()) {
    i = static_cast<int>(worker->fibers.size());
    worker->fibers.push_back(make_fiber());
  } else {
    i = worker->free_fibers.back();
    worker->free_fibers.pop_back();
    forget_stack_accesses(worker->fibers[i]);
  }
  prepare(worker->fibers[i], &fiber_entry, config.fresh_tsan_fibers);
  return i;
}

// Lets fiber i run until it blocks or ends.
void step(int i) {
  Fiber& fiber = worker->fibers[i];
  ++counters.switches;
  worker->running = &fiber;
  current = fiber.thread;
  switch_to_fiber(worker->host, fiber);
  current = nullptr;
#if !defined(__SANITIZE_THREAD__)
  if (!fiber.thread) worker->free_fibers.push_back(i);
#endif
  if (worker->error) std::rethrow_exception(worker->error);
}

void wait_for_turn() {
  Thread* self = current;
  switch_to_host(*worker->running, worker->host, false);
  current = self;
}

Block::Bytes allocate_shared(Block& block, size_t bytes) {
  block.shared_bytes += bytes;
  if (block.shared_bytes > block.shared_limit)
    throw EmulationError("more than " + std::to_string(block.shared_limit / 1024) +
                         " KiB of shared memory: cudaFuncSetAttribute raises the limit up to 163");
  void* p = nullptr;
  if (posix_memalign(&p, 128, bytes)) throw std::bad_alloc();
  if (config.poison_shared) std::memset(p, 0xFF, bytes);
  return {static_cast<char*>(p), std::free};
}

}  // namespace

// --------------------------------------------------------------------------------------- what kernels call

int barrier(BarrierKind kind, int predicate, const std::source_location& site) {
  IgnoreScope ignore;
  Thread& self = *current;
  self.state = State::AtBarrier;
  self.barrier_site = site;
  self.barrier_kind = kind;
  self.barrier_predicate = predicate;
  char* tag = &self.block->barrier_tags[self.block->barrier_generation & 1];
  happens_before(tag);
  wait_for_turn();
  happens_after(tag);
  return self.barrier_result;
}

uint64_t warp_collective(WarpOp op, uint32_t mask, uint64_t value, int parameter, int width,
                         const std::source_location& site) {
  IgnoreScope ignore;
  Thread& self = *current;
  unsigned warp = self.linear / 32, lane = self.linear % 32;
  if (!(mask >> lane & 1))
    throw EmulationError(where(self) + ": warp collective called by a lane that is not in its mask, line " +
                         std::to_string(site.line()));
  self.warp = {op, mask, value, parameter, width, site.line()};
  self.state = State::AtWarp;
  char* tag = &self.block->warp_tags[warp][self.block->warp_generation[warp] & 1];
  happens_before(tag);
  wait_for_turn();
  happens_after(tag);
  return self.warp_result;
}

void* static_shared_bytes(const void* key, size_t bytes) {
  IgnoreScope ignore;
  Block& block = *current->block;
  auto& entry = block.static_shared.try_emplace(key, nullptr, std::free).first->second;
  if (!entry) entry = allocate_shared(block, bytes);
  return entry.get();
}

namespace {

// ---------------------------------------------------------------------------------------------- scheduler

// The lane from which a shuffle reads, seen from `lane`.
int source_lane(const WarpRequest& r, int lane) {
  int first = lane & ~(r.width - 1);
  switch (r.op) {
    case WarpOp::Index: return first + (r.parameter & (r.width - 1));
    case WarpOp::Up: return lane - r.parameter < first ? lane : lane - r.parameter;
    case WarpOp::Down: return lane + r.parameter >= first + r.width ? lane : lane + r.parameter;
    case WarpOp::Xor: return (lane ^ r.parameter) >= first + r.width ? lane : lane ^ r.parameter;
    default: return lane;
  }
}

// True when every lane of the mask has arrived; throws when that can never be, or when they differ.
bool collective_is_complete(const Thread* lanes, unsigned count, const Thread& first) {
  for (unsigned j = 0; j < 32; j++) {
    if (!(first.warp.mask >> j & 1)) continue;
    if (j >= count || lanes[j].state == State::Done)
      throw EmulationError(where(first) + ": warp collective at line " + std::to_string(first.warp.line) +
                           " names lane " + std::to_string(j) + " that has exited or does not exist");
    if (lanes[j].state != State::AtWarp) return false;
    if (lanes[j].warp.mask != first.warp.mask || lanes[j].warp.op != first.warp.op)
      throw EmulationError(where(lanes[j]) + ": warp collective mismatch: lanes meet at lines " +
                           std::to_string(first.warp.line) + " and " + std::to_string(lanes[j].warp.line) +
                           " with different masks or kinds");
  }
  return true;
}

void finish_collective(Thread* lanes, unsigned count, uint32_t mask) {
  auto in_mask = [&](unsigned j) { return (mask >> j & 1) != 0; };
  uint32_t ballot = 0;
  for (unsigned j = 0; j < count; j++)
    if (in_mask(j) && lanes[j].warp.value) ballot |= 1u << j;
  for (unsigned j = 0; j < count; j++) {
    if (!in_mask(j)) continue;
    const WarpRequest& r = lanes[j].warp;
    uint64_t& result = lanes[j].warp_result;
    switch (r.op) {
      case WarpOp::Index:
      case WarpOp::Up:
      case WarpOp::Down:
      case WarpOp::Xor: {  // the value of a lane outside the mask is undefined: hand back junk
        auto source = static_cast<unsigned>(source_lane(r, static_cast<int>(j)));
        result = in_mask(source) ? lanes[source].warp.value : 0xDEADBEEFDEADBEEFull;
        break;
      }
      case WarpOp::Ballot: result = ballot; break;
      case WarpOp::All: result = ballot == mask; break;
      case WarpOp::Any: result = ballot != 0; break;
      case WarpOp::Match:
        result = 0;
        for (unsigned k = 0; k < count; k++)
          if (in_mask(k) && lanes[k].warp.value == r.value) result |= 1u << k;
        break;
      case WarpOp::Sync:
      case WarpOp::Custom: break;
    }
  }
  for (unsigned j = 0; j < count; j++)
    if (in_mask(j)) lanes[j].state = State::Ready;
}

// Completes the collectives of one warp for which all lanes are there. True when one was completed.
bool resolve_warp(Block& block, unsigned first_thread) {
  unsigned count = std::min(32u, block.size - first_thread);
  Thread* lanes = &block.threads[first_thread];
  bool progress = false;
  for (unsigned i = 0; i < count; i++) {
    if (lanes[i].state != State::AtWarp || !collective_is_complete(lanes, count, lanes[i])) continue;
    uint32_t mask = lanes[i].warp.mask;
    if (lanes[i].warp.op == WarpOp::Custom) {
      void* operands[32] = {};
      for (unsigned j = 0; j < count; j++)
        if (mask >> j & 1) operands[j] = reinterpret_cast<void*>(lanes[j].warp.value);
      reinterpret_cast<CustomWarpOp*>(lanes[i].warp.value)->run(operands, mask);
    }
    finish_collective(lanes, count, mask);
    block.warp_generation[first_thread / 32]++;
    progress = true;
  }
  return progress;
}

// Every live thread waits at a barrier: let them pass if it is the same one for all.
void release_barrier(Block& block) {
  Thread* first = nullptr;
  Thread* exited = nullptr;
  int count = 0, all = 1, any = 0;
  for (auto& t : block.threads) {
    if (t.state == State::Done) {
      exited = &t;
      continue;
    }
    if (!first) first = &t;
    if (t.barrier_site.line() != first->barrier_site.line() ||
        t.barrier_site.column() != first->barrier_site.column() || t.barrier_kind != first->barrier_kind)
      throw EmulationError("divergent barrier: " + where(*first) + " waits at line " +
                           std::to_string(first->barrier_site.line()) + ", " + where(t) + " at line " +
                           std::to_string(t.barrier_site.line()));
    bool predicate = t.barrier_predicate != 0;
    count += predicate, all &= predicate, any |= predicate;
  }
  if (exited && config.strict_exit)
    throw EmulationError(where(*first) + ": barrier at line " + std::to_string(first->barrier_site.line()) + " but " +
                         where(*exited) + " has already exited the kernel (divergent barrier)");
  const int results[] = {0, count, all, any};  // by BarrierKind
  block.barrier_generation++;
  for (auto& t : block.threads) {
    if (t.state != State::AtBarrier) continue;
    t.barrier_result = results[static_cast<int>(t.barrier_kind)];
    t.state = State::Ready;
  }
}

[[noreturn]] void throw_deadlock(const Block& block) {
  std::string text = "deadlock in block: ";
  for (auto& t : block.threads)
    if (t.state == State::AtBarrier) {
      text += where(t) + " waits at __syncthreads line " + std::to_string(t.barrier_site.line());
      break;
    }
  for (auto& t : block.threads)
    if (t.state == State::AtWarp) {
      text += "; " + where(t) + " waits in a warp collective at line " + std::to_string(t.warp.line);
      break;
    }
  throw EmulationError(text);
}

template <class Vector>
void put_in_order(Vector& v, std::mt19937_64& random) {
  if (config.order == Order::Reverse) std::reverse(v.begin(), v.end());
  if (config.order == Order::Random) std::shuffle(v.begin(), v.end(), random);
}

// Turns for those that wait, until all are done.
void run_to_the_end(Block& block, std::mt19937_64& random) {
  std::vector<unsigned> turn(worker->order);
  for (;;) {
    bool progress = false;
    if (config.order == Order::Random) std::shuffle(turn.begin(), turn.end(), random);
    for (unsigned i : turn) {
      if (block.threads[i].state != State::Ready) continue;
      progress = true;
      step(block.threads[i].fiber);
    }
    for (unsigned w = 0; w < block.size; w += 32) progress |= resolve_warp(block, w);
    if (progress) continue;
    auto in_state = [&](State s) {
      return std::count_if(block.threads.begin(), block.threads.end(), [s](const Thread& t) { return t.state == s; });
    };
    auto done = in_state(State::Done), waiting = in_state(State::AtBarrier);
    if (done == block.size) return;
    if (done + waiting != block.size) throw_deadlock(block);
    release_barrier(block);
  }
}

void run_block(Block& block, uint64_t seed) {
  counters.blocks.fetch_add(1, std::memory_order_relaxed);
  counters.threads.fetch_add(block.size, std::memory_order_relaxed);
  std::mt19937_64 random;
  if (config.order == Order::Random) random.seed(seed);
  worker->block = &block;
  worker->error = nullptr;
  worker->next = 0;
  worker->order.resize(block.size);
  std::iota(worker->order.begin(), worker->order.end(), 0u);
  put_in_order(worker->order, random);
  worker->fibers.reserve(block.size + 1);  // no move while fibers run
  worker->free_fibers.resize(worker->fibers.size());
  std::iota(worker->free_fibers.begin(), worker->free_fibers.end(), 0);
  happens_before(&block);
  bool blocked = false;
  while (worker->next < block.size) {
    int i = take_fiber();
    worker->fibers[i].thread = &block.threads[worker->order[worker->next++]];
    step(i);
    blocked |= worker->fibers[i].thread != nullptr;
  }
  if (blocked) run_to_the_end(block, random);
}

void start_block(Block& block, uint64_t i, size_t dynamic_bytes) {
  block.index = {unsigned(i % block.grid.x), unsigned(i / block.grid.x % block.grid.y),
                 unsigned(i / block.grid.x / block.grid.y)};
  block.static_shared.clear();
  block.dynamic_shared.reset();
  block.shared_bytes = 0;
  if (dynamic_bytes) block.dynamic_shared = allocate_shared(block, dynamic_bytes);
  for (unsigned t = 0; t < block.size; t++) {
    Thread& thread = block.threads[t];
    thread = Thread{};
    thread.block = &block;
    thread.linear = t;
    thread.index = {t % block.dim.x, t / block.dim.x % block.dim.y, t / block.dim.x / block.dim.y};
  }
}

// After a fault: whatever the block's threads did before they stopped happened before what the host does next.
void join_abandoned(const Block& block) {
  for (const char& tag : block.barrier_tags) happens_after(&tag);
  for (const auto& tags : block.warp_tags)
    for (const char& tag : tags) happens_after(&tag);
  happens_after(&block.done_tag);
}

// A grid under way: blocks are taken one by one by as many host threads as there are.
struct Grid {
  dim3 grid, dim;
  size_t dynamic_bytes, shared_limit;
  const std::function<void()>& body;
  uint64_t blocks;
  std::vector<uint64_t> order{};
  std::atomic<uint64_t> next{0};
  std::exception_ptr first_error{};
  std::mutex mutex{};

  void work() {
    IgnoreScope ignore;
    static thread_local Worker mine;
    worker = &mine;
#if defined(__SANITIZE_THREAD__)
    worker->host.tsan_fiber = __tsan_get_current_fiber();
#endif
    Block block;
    block.grid = grid;
    block.dim = dim;
    block.size = dim.x * dim.y * dim.z;
    block.shared_limit = shared_limit;
    block.threads.resize(block.size);
    block.body = &body;
    for (uint64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < blocks;) {
      if (!order.empty()) i = order[i];
      if (config.block_filter && !config.block_filter(i)) continue;
      try {
        start_block(block, i, dynamic_bytes);
        run_block(block, config.seed ^ (i * 0x9E3779B97F4A7C15ull));
      } catch (...) {
        join_abandoned(block);
        for (auto& fiber : worker->fibers) abandon(fiber);
        std::lock_guard lock(mutex);
        if (!first_error) first_error = std::current_exception();
        next = blocks;
        break;
      }
    }
    happens_after(&block.done_tag);
  }
};

}  // namespace

// -------------------------------------------------------------------------------------------------- launch

bool check_launch(dim3 grid, dim3 dim, size_t dynamic_bytes, size_t shared_limit) {
  uint64_t threads = uint64_t(dim.x) * dim.y * dim.z, blocks = uint64_t(grid.x) * grid.y * grid.z;
  return threads > 0 && dim.x <= 1024 && dim.y <= 1024 && dim.z <= 64 && threads <= 1024 && blocks > 0 &&
         grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535 && dynamic_bytes <= shared_limit;
}

void run_grid(dim3 grid, dim3 dim, size_t dynamic_bytes, const std::function<void()>& body, size_t shared_limit) {
  if (!check_launch(grid, dim, dynamic_bytes, shared_limit)) throw EmulationError("invalid launch configuration");
  counters.launches.fetch_add(1, std::memory_order_relaxed);
  Grid run{grid, dim, dynamic_bytes, shared_limit, body, uint64_t(grid.x) * grid.y * grid.z};
  if (config.order != Order::Forward && run.blocks < (1u << 22)) {
    run.order.resize(run.blocks);
    std::iota(run.order.begin(), run.order.end(), uint64_t(0));
    std::mt19937_64 random(config.seed);
    put_in_order(run.order, random);
  }
  auto host_threads = std::min<uint64_t>(static_cast<uint64_t>(config.host_threads), run.blocks);
  if (host_threads <= 1) {
    run.work();
  } else {
    std::vector<std::thread> pool;
    for (uint64_t i = 0; i < host_threads; i++) pool.emplace_back([&] { run.work(); });
    for (auto& t : pool) t.join();
  }
  if (run.first_error) std::rethrow_exception(run.first_error);
}

}  // namespace cuda_emulation
