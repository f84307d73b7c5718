// late_release.cpp - the list of what waits for an event before its owner may have it back.
#include "runtime/late_release.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "runtime/backend.h"

namespace bolide {
namespace {

struct Waiting {
  Backend* backend;
  std::vector<EventHandle> events;
  void (*release)(void* owner);
  void* owner;
};
struct Late {
  std::mutex mutex;
  std::unordered_map<const Storage*, std::vector<StreamHandle>> streams;  // of foreign storages that live
  std::vector<Waiting> waiting;
  std::atomic<size_t> count{0};                                           // of waiting
};
Late& late() {
  static Late* all = new Late;  // leaked: other threads may come late
  return *all;
}

void add_once(std::vector<StreamHandle>& streams, StreamHandle stream) {
  for (StreamHandle s : streams)
    if (s.handle == stream.handle) return;
  streams.push_back(stream);
}
std::vector<StreamHandle> streams_of(Storage& s) {
  std::vector<StreamHandle> streams;
  {
    std::lock_guard lock(late().mutex);
    if (auto found = late().streams.find(&s); found != late().streams.end()) {
      streams = std::move(found->second);
      late().streams.erase(found);
    }
  }
  add_once(streams, current_stream(s.device));
  return streams;
}
bool all_done(Waiting& w) {
  std::erase_if(w.events, [&](EventHandle e) {
    if (!w.backend->is_done(e)) return false;
    w.backend->destroy_event(e);
    return true;
  });
  return w.events.empty();
}

}  // namespace

void record_stream(Storage& storage, StreamHandle stream) {
  if (!storage.release) return record_stream(storage.device, storage.allocation, stream);
  if (storage.device.is_cpu()) return;
  std::lock_guard lock(late().mutex);
  add_once(late().streams[&storage], stream);
}

void release_foreign(Storage& s) noexcept {
  if (s.device.is_cpu()) return s.release(s.owner);
  release_finished();
  try {
    Waiting w{backend_of(s.device.type).backend, {}, s.release, s.owner};
    for (StreamHandle stream : streams_of(s)) {
      try {
        w.events.push_back(w.backend->record_event(stream));
      } catch (const Error&) {  // as in the pool: a stream that has gone
      }
    }
    if (!all_done(w)) {
      std::lock_guard lock(late().mutex);
      late().waiting.push_back(std::move(w));
      late().count.store(late().waiting.size(), std::memory_order_relaxed);
      return;
    }
  } catch (...) {  // the device has gone: nothing of ours runs there
  }
  s.release(s.owner);
}

void release_finished() noexcept {
  if (!late().count.load(std::memory_order_relaxed)) return;
  std::vector<Waiting> done;
  {
    std::lock_guard lock(late().mutex);
    std::vector<Waiting>& all = late().waiting;
    auto is_waiting = [](Waiting& w) {
      try {
        return !all_done(w);
      } catch (...) { return false; }
    };
    const auto first = std::partition(all.begin(), all.end(), is_waiting);
    done.assign(std::make_move_iterator(first), std::make_move_iterator(all.end()));
    all.erase(first, all.end());
    late().count.store(all.size(), std::memory_order_relaxed);
  }
  for (Waiting& w : done) w.release(w.owner);  // without the lock: they may run Python code
}

}  // namespace bolide
