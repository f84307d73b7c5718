// test_backend.cpp - the CUDA backend: copies, streams, events, memory that runs out, errors, a forked child.
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_support.h"
#include "kernels/op_list.h"

namespace bolide::test {
namespace {

using Kind = Backend::CopyKind;

// Queues y = x on a stream, for n floats.
void queue_copy(const void* x, void* y, int64_t n, StreamHandle stream) {
  const int64_t one = 1;
  CopyCall copy;
  copy.in = {const_cast<void*>(x), DType::F32, &one}, copy.out = {y, DType::F32, &one};
  copy.rank = 1, copy.shape = &n, copy.stream = stream;
  kernels(true).copy(copy);
}

TEST(CudaBackend, NamesADeviceAndItsMemory) {
  ASSERT_GE(cuda().device_count(), 1);
  EXPECT_FALSE(cuda().device_name(0).empty());
  size_t free_bytes = 0, total_bytes = 0;
  cuda().memory_info(0, &free_bytes, &total_bytes);
  EXPECT_GT(free_bytes, size_t(0));
  EXPECT_GE(total_bytes, free_bytes);
}

TEST(CudaBackend, BytesGoThereAndBack) {
  std::vector<char> sent(100003), back(sent.size(), 0);
  for (size_t i = 0; i < sent.size(); i++) sent[i] = char(i * 7);
  void *p = cuda().allocate(0, sent.size()), *q = cuda().allocate(0, sent.size());
  ASSERT_TRUE(p && q);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 256, 0u);
  const StreamHandle s = cuda_stream();
  const std::vector<char> expected = sent;
  cuda().copy_bytes(p, sent.data(), sent.size(), Kind::ToDevice, s);
  std::fill(sent.begin(), sent.end(), 0);  // the host's bytes may be used again
  cuda().copy_bytes(q, p, sent.size(), Kind::OnDevice, s);
  cuda().set_bytes(p, 0, sent.size(), s);
  cuda().copy_bytes(back.data(), q, back.size(), Kind::ToHost, s);
  EXPECT_EQ(back, expected);
  cuda().copy_bytes(back.data(), p, back.size(), Kind::ToHost, s);
  EXPECT_EQ(back, std::vector<char>(back.size(), 0));
  cuda().deallocate(0, p, sent.size());
  cuda().deallocate(0, q, sent.size());
}

// A chain over two streams with an event each way; the host waits once, at the end.
TEST(CudaBackend, EventsOrderTwoStreams) {
  constexpr int64_t n = 1000;
  Array x(DType::F32, n), y(DType::F32, n), z(DType::F32, n);
  x.fill_random(1);
  cuda().synchronize(cuda_stream());
  const StreamHandle a = cuda().make_stream(0), b = cuda().make_stream(0);
  queue_copy(x.data(true), y.data(true), n, a);
  const EventHandle written = cuda().record_event(a);
  cuda().wait_event(b, written);
  queue_copy(y.data(true), z.data(true), n, b);
  const EventHandle read = cuda().record_event(b);
  cuda().wait_event(a, read);
  cuda().set_bytes(y.data(true), 0xff, n * sizeof(float), a);
  std::vector<char> got(n * sizeof(float));
  cuda().copy_bytes(got.data(), z.data(true), got.size(), Kind::ToHost, b);
  EXPECT_TRUE(cuda().is_done(read));
  EXPECT_EQ(std::memcmp(got.data(), x.host(), got.size()), 0);
  cuda().destroy_event(written), cuda().destroy_event(read);
  cuda().destroy_stream(a), cuda().destroy_stream(b);
}

TEST(CudaBackend, TooMuchMemoryIsAnAnswerAndTheNextCallWorks) {
  EXPECT_EQ(cuda().allocate(0, size_t(1) << 60), nullptr);
  void* p = cuda().allocate(0, 4096);
  ASSERT_NE(p, nullptr);
  cuda().deallocate(0, p, 4096);
  Array x(DType::F32, 10), y(DType::F32, 10);
  queue_copy(x.data(true), y.data(true), 10, cuda_stream());
  cuda().synchronize(cuda_stream());
}

TEST(CudaBackend, AnUnknownDtypeIsRefusedByName) {
  Array x(DType::C64, 4);
  const int64_t one = 1, n = 4;
  ElementwiseCall call;
  call.slots[0] = call.out = x.operand(true, &one);
  call.op = ElementwiseOp::floor, call.compute = Compute::C64;
  call.rank = 1, call.shape = &n, call.stream = cuda_stream();
  try {
    kernels(true).elementwise(call);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotImplemented);
    EXPECT_NE(std::string(error.what()).find("complex64"), std::string::npos) << error.what();
  }
}

TEST(CudaBackend, AForkedChildIsToldWhatToDo) {
  Array x(DType::F32, 4);
  const pid_t child = fork();
  if (child == 0) {
    int status = 1;
    try {
      cuda().make_stream(0);
    } catch (const Error& error) { status = std::string(error.what()).find("spawn") != std::string::npos ? 0 : 2; }
    _exit(status);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  cuda().synchronize(cuda_stream());
}

}  // namespace
}  // namespace bolide::test
