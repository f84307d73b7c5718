// threads.cpp - the pool behind threads.h: workers that spin a little, then sleep; and how many there are.
//
// Everything here is compiled once, for the baseline machine. The pool is made by the first call that has
// work for it and never destroyed (workers may outlive main); a child of fork gets one of its own. Only the
// caller that holds `busy` touches the workers, so there is no lock: set_thread_count writes down a number,
// and the next caller starts or ends threads to match.
#include "kernels/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "runtime/errors.h"

namespace bolide {
namespace {

constexpr int kMaxThreads = 1024;
constexpr uint64_t kLow = 0xffffffff;  // the low half of a state counts chunks, the high half is the job's number
constexpr int64_t kHugePage = 2 << 20;
constexpr std::chrono::microseconds kSpin{100};  // longer than the Python between two ops of a model

// ---- how many threads --------------------------------------------------------------------------------------

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  if (cpus.empty())  // more CPUs than a cpu_set_t holds
    for (unsigned cpu = 0; cpu < std::max(1u, std::thread::hardware_concurrency()); cpu++) cpus.push_back(int(cpu));
  return cpus;
}

// CPUs that a quota is worth, rounded up; kMaxThreads where there is none.
int quota_cpus(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return kMaxThreads;
  return int(std::clamp(std::ceil(quota / period), 1.0, double(kMaxThreads)));
}
int quota_of_directory(const std::string& directory, bool second_version) {
  if (second_version) {
    std::string quota;  // "max 100000" or "150000 100000"
    double period = 0;
    std::ifstream(directory + "/cpu.max") >> quota >> period;
    return quota_cpus(std::atof(quota.c_str()), period);
  }
  double quota = -1, period = 0;
  std::ifstream(directory + "/cpu.cfs_quota_us") >> quota;
  std::ifstream(directory + "/cpu.cfs_period_us") >> period;
  return quota_cpus(quota, period);
}

// The smallest quota on the way from this process's control group to the root, of either version of cgroups.
int cgroup_cpus() {
  int limit = kMaxThreads;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool second_version = controllers == ",,";
    if (!second_version && controllers.find(",cpu,") == std::string::npos) continue;
    const std::string root = second_version ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    std::string path = line.substr(second + 1);
    for (;;) {
      limit = std::min(limit, quota_of_directory(root + path, second_version));
      const size_t slash = path.rfind('/');
      if (slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  return limit;
}

int default_thread_count() {
  int count = std::min({int(allowed_cpus().size()), cgroup_cpus(), kMaxThreads});
  if (const char* wish = std::getenv("BOLIDE_NUM_THREADS"); wish && *wish) {
    char* end = nullptr;
    const long n = std::strtol(wish, &end, 10);
    check(*end == 0 && n >= 1, ErrorKind::Value, "BOLIDE_NUM_THREADS", "a whole number, 1 or more",
          [&] { return str("'", wish, "'"); });
    count = int(std::min<long>(count, n));
  }
  return std::max(count, 1);
}

std::atomic<int> g_wanted{0};  // 0: not asked for yet

// Tells the CPU that this is a loop that waits.
inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Threads started while this lives leave signals to the program's own threads, whose waits they are to end (Ctrl-C);
// all but those that a fault of the thread itself raises.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t most;
    sigfillset(&most);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&most, fault);
    pthread_sigmask(SIG_SETMASK, &most, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// ---- the pool ----------------------------------------------------------------------------------------------

class Pool {
 public:
  // False, and nothing done, where another caller has the pool.
  bool try_run(int64_t chunks, void (*run)(const void*, int64_t), const void* work) {
    if (busy_.exchange(true, std::memory_order_acquire)) return false;
    const int count = thread_count();
    if (count != count_) resize(count);
    if (workers_.empty()) {
      busy_.store(false, std::memory_order_release);
      return false;
    }
    leave_cpu_to_caller();
    run_ = run, work_ = work;
    done_.store(0, std::memory_order_relaxed);
    const uint64_t job = (state_.load(std::memory_order_relaxed) | kLow) + 1 + uint64_t(chunks);
    state_.store(job, std::memory_order_seq_cst);
    state_.notify_all();
    take_chunks(job, 0);
    while (done_.load(std::memory_order_acquire) != chunks) pause_cpu();
    std::exception_ptr error;
    if (failed_.load(std::memory_order_relaxed)) {
      std::swap(error, error_);
      failed_.store(false, std::memory_order_relaxed);
    }
    busy_.store(false, std::memory_order_release);
    if (error) std::rethrow_exception(error);
    return true;
  }

 private:
  // Chunks are cut into shares, neighbours in one, and each thread begins with its own: the same call again finds
  // in a thread's cache what that thread left there. Who is done helps with the next share.
  //
  // A share's state is a job's number and how many chunks of it are left. One of an earlier job stands for all
  // of them, so nobody prepares shares; one of a later job tells a late worker that its job is over. `run_`
  // and `work_` are written only while nothing is left and nothing is running, so whoever took a chunk may
  // read them.
  struct alignas(64) Share {
    std::atomic<uint64_t> state{0};
  };

  void take_chunks(uint64_t job, int64_t me) {
    const int64_t chunks = int64_t(job & kLow), count = std::min<int64_t>(chunks, int64_t(shares_.size()));
    for (int64_t i = 0; i < count; i++) {
      const int64_t share = (me + i) % count;
      take_share(job, shares_[size_t(share)].state, chunks * share / count, chunks * (share + 1) / count);
    }
  }

  void take_share(uint64_t job, std::atomic<uint64_t>& state, int64_t begin, int64_t end) {
    const uint64_t number = job & ~kLow;
    uint64_t s = state.load(std::memory_order_acquire);
    for (;;) {
      const int64_t age = int64_t(number - (s & ~kLow));
      const int64_t left = age > 0 ? end - begin : int64_t(s & kLow);
      if (age < 0 || left == 0) return;
      if (!state.compare_exchange_weak(s, number | uint64_t(left - 1), std::memory_order_acquire)) continue;
      try {
        run_(work_, end - left);
      } catch (...) {
        if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
      }
      done_.fetch_add(1, std::memory_order_release);
      s = state.load(std::memory_order_acquire);
    }
  }

  void work_until_stopped(int64_t me) {
    uint64_t seen = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
      const uint64_t job = state_.load(std::memory_order_acquire);
      if (job != seen) {
        take_chunks(job, me);
        seen = job;
        continue;
      }
      const auto until = std::chrono::steady_clock::now() + kSpin;
      bool idle = true;
      while (idle && std::chrono::steady_clock::now() < until)
        for (int i = 0; i < 64 && idle; i++) {
          pause_cpu();
          idle = state_.load(std::memory_order_relaxed) == seen;
        }
      if (idle) state_.wait(seen, std::memory_order_acquire);
    }
  }

  // A kernel may wake a thread on the CPU of the one that wakes it and leave it waiting there for
  // milliseconds (seen on virtual machines), so workers are bound, one to a CPU, and the CPU without a
  // worker is the caller's.
  void bind(size_t worker, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (pthread_setaffinity_np(workers_[worker].native_handle(), sizeof set, &set) == 0) homes_[worker] = cpu;
  }
  void leave_cpu_to_caller() {
    const int here = sched_getcpu();
    if (here == free_cpu_) return;
    for (size_t i = 0; i < homes_.size(); i++)
      if (homes_[i] == here) {
        bind(i, free_cpu_);
        free_cpu_ = here;
        return;
      }
  }

  void resize(int count) {
    stop_.store(true, std::memory_order_relaxed);
    state_.store((state_.load(std::memory_order_relaxed) | kLow) + 1, std::memory_order_seq_cst);
    state_.notify_all();
    for (std::thread& t : workers_) t.join();
    stop_.store(false, std::memory_order_relaxed);
    workers_.clear(), homes_.clear();
    shares_ = std::vector<Share>(size_t(count));
    count_ = count;
    const std::vector<int> cpus = allowed_cpus();
    const bool bound = count <= int(cpus.size());
    free_cpu_ = bound ? cpus[0] : -1;
    if (bound) homes_.assign(size_t(count - 1), -1);
    const SignalsBlocked block;
    try {
      for (int i = 1; i < count; i++) {
        workers_.emplace_back([this, i] { work_until_stopped(i); });
        if (bound) bind(size_t(i - 1), cpus[size_t(i)]);
      }
    } catch (const std::system_error&) {  // the system gives no more threads: work with those there are
      homes_.resize(std::min(homes_.size(), workers_.size()));
    }
  }

  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<int64_t> done_{0};
  alignas(64) std::atomic<bool> busy_{false};
  void (*run_)(const void*, int64_t) = nullptr;
  const void* work_ = nullptr;
  std::vector<Share> shares_;  // the caller's is the first
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;  // of the first chunk that threw
  std::atomic<bool> stop_{false};
  int count_ = 1;
  std::vector<std::thread> workers_;
  std::vector<int> homes_;  // CPU of each worker; empty where workers are not bound
  int free_cpu_ = -1;
};

std::atomic<Pool*> g_pool{nullptr};

// A child of fork has none of its parent's workers and may have any state of its pool: it starts anew.
Pool& pool() {
  Pool* p = g_pool.load(std::memory_order_acquire);
  if (p) [[likely]]
    return *p;
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { g_pool.store(nullptr, std::memory_order_release); });
  static_cast<void>(registered);
  Pool* made = new Pool;
  if (g_pool.compare_exchange_strong(p, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *p;
}

}  // namespace

void set_thread_count(int n) {
  check(n >= 1 && n <= kMaxThreads, ErrorKind::Value, "set_num_threads", str("1 to ", kMaxThreads, " threads"),
        [&] { return str(n); });
  g_wanted.store(n, std::memory_order_relaxed);
}

int thread_count() {
  int n = g_wanted.load(std::memory_order_relaxed);
  if (n) [[likely]]
    return n;
  const int made = default_thread_count();
  return g_wanted.compare_exchange_strong(n, made) ? made : n;
}

void parallel_run(int64_t chunks, void (*run)(const void*, int64_t), const void* work) {
  if (chunks > 1 && chunks <= int64_t(kLow) && thread_count() > 1 && pool().try_run(chunks, run, work)) return;
  for (int64_t i = 0; i < chunks; i++) run(work, i);
}

void* scratch(int slot, int64_t bytes) {
  struct Block {
    void* data = nullptr;
    int64_t size = 0;
    ~Block() { std::free(data); }
  };
  static thread_local Block blocks[8];
  Block& b = blocks[slot];
  if (b.size < bytes) {
    std::free(b.data);
    const int64_t page = bytes < kHugePage ? 4096 : kHugePage;
    b.size = (bytes + page - 1) / page * page;
    b.data = std::aligned_alloc(size_t(page), size_t(b.size));
    if (!b.data) {
      b.size = 0;
      throw std::bad_alloc();
    }
    if (page == kHugePage) madvise(b.data, size_t(b.size), MADV_HUGEPAGE);  // a wish, not a need
  }
  return b.data;
}

}  // namespace bolide
