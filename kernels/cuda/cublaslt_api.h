// cublaslt_api.h - the part of cuBLASLt that bolide calls: its stable C interface, declared here, and a table of the
// functions, filled in at the first matrix product.
//
// The library is never linked, so that bolide installs and starts without it; cublaslt.cpp finds it, and the emulated
// device fills in a stand-in that checks the arguments (tests/cuda_emulation/fake_cublaslt.cpp). Where the toolkit's
// header is at hand, the declarations are checked against it. To call another function: a line in BOLIDE_CUBLASLT.
#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
#define BOLIDE_HAS_CUBLASLT_HEADER 1
#endif

namespace bolide::cublaslt {

using Handle = void*;
using MatmulDesc = void*;
using Layout = void*;
using Preference = void*;

enum class Status : int {
  Success = 0,
  NotInitialized = 1,
  AllocFailed = 3,
  InvalidValue = 7,
  ArchMismatch = 8,
  ExecutionFailed = 13,
  InternalError = 14,
  NotSupported = 15
};
enum class DataType : int { F32 = 0, F64 = 1, F16 = 2, BF16 = 14 };
enum class ComputeType : int { F32 = 68, F64 = 70 };
enum class Operation : int { None = 0, Transpose = 1 };
enum class Epilogue : int { Default = 1, Bias = 4 };
enum class DescAttribute : int { TransposeA = 3, TransposeB = 4, Epilogue = 7, BiasPointer = 8 };
enum class LayoutAttribute : int { BatchCount = 5, BatchStride = 6 };
enum class PreferenceAttribute : int {
  MaxWorkspaceBytes = 1,
  ReductionSchemes = 3,
  AlignmentA = 5,
  AlignmentB = 6,
  AlignmentC = 7,
  AlignmentD = 8
};
// How the parts of a sum are added where a product is cut along k: in the type it is computed in, or in the result's.
enum class ReductionScheme : uint32_t { None = 0, ComputeType = 2 };
struct Algorithm {
  uint64_t data[8];
};
struct HeuristicResult {
  Algorithm algorithm;
  size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};

// clang-format off
//  X(member, function, arguments)
#define BOLIDE_CUBLASLT(X)                                                                                      \
  X(create, cublasLtCreate, (Handle*))                                                                          \
  X(get_version, cublasLtGetVersion, ())                                                                        \
  X(desc_create, cublasLtMatmulDescCreate, (MatmulDesc*, ComputeType, DataType))                                \
  X(desc_destroy, cublasLtMatmulDescDestroy, (MatmulDesc))                                                      \
  X(desc_set, cublasLtMatmulDescSetAttribute, (MatmulDesc, DescAttribute, const void*, size_t))                 \
  X(layout_create, cublasLtMatrixLayoutCreate, (Layout*, DataType, uint64_t rows, uint64_t columns, int64_t ld)) \
  X(layout_destroy, cublasLtMatrixLayoutDestroy, (Layout))                                                      \
  X(layout_set, cublasLtMatrixLayoutSetAttribute, (Layout, LayoutAttribute, const void*, size_t))               \
  X(preference_create, cublasLtMatmulPreferenceCreate, (Preference*))                                           \
  X(preference_destroy, cublasLtMatmulPreferenceDestroy, (Preference))                                          \
  X(preference_set, cublasLtMatmulPreferenceSetAttribute, (Preference, PreferenceAttribute, const void*, size_t)) \
  X(heuristic, cublasLtMatmulAlgoGetHeuristic,                                                                  \
    (Handle, MatmulDesc, Layout a, Layout b, Layout c, Layout d, Preference, int wanted, HeuristicResult*, int* found)) \
  X(matmul, cublasLtMatmul,                                                                                     \
    (Handle, MatmulDesc, const void* alpha, const void* a, Layout, const void* b, Layout, const void* beta,     \
     const void* c, Layout, void* d, Layout, const Algorithm*, void* workspace, size_t, cudaStream_t))
// clang-format on

struct Functions {
#define BOLIDE_MEMBER(member, function, arguments) Status(*member) arguments = nullptr;
  BOLIDE_CUBLASLT(BOLIDE_MEMBER)
#undef BOLIDE_MEMBER
};

// The functions; raises where there is no cuBLASLt of the right major version, and says where it was looked for.
const Functions& functions();
const char* name_of(Status status);

#if defined(BOLIDE_HAS_CUBLASLT_HEADER)
#define BOLIDE_SAME(own, theirs) static_assert(int(own) == int(theirs))
BOLIDE_SAME(Status::Success, CUBLAS_STATUS_SUCCESS);
BOLIDE_SAME(Status::NotInitialized, CUBLAS_STATUS_NOT_INITIALIZED);
BOLIDE_SAME(Status::AllocFailed, CUBLAS_STATUS_ALLOC_FAILED);
BOLIDE_SAME(Status::InvalidValue, CUBLAS_STATUS_INVALID_VALUE);
BOLIDE_SAME(Status::ArchMismatch, CUBLAS_STATUS_ARCH_MISMATCH);
BOLIDE_SAME(Status::ExecutionFailed, CUBLAS_STATUS_EXECUTION_FAILED);
BOLIDE_SAME(Status::InternalError, CUBLAS_STATUS_INTERNAL_ERROR);
BOLIDE_SAME(Status::NotSupported, CUBLAS_STATUS_NOT_SUPPORTED);
BOLIDE_SAME(DataType::F32, CUDA_R_32F);
BOLIDE_SAME(DataType::F64, CUDA_R_64F);
BOLIDE_SAME(DataType::F16, CUDA_R_16F);
BOLIDE_SAME(DataType::BF16, CUDA_R_16BF);
BOLIDE_SAME(ComputeType::F32, CUBLAS_COMPUTE_32F);
BOLIDE_SAME(ComputeType::F64, CUBLAS_COMPUTE_64F);
BOLIDE_SAME(Operation::None, CUBLAS_OP_N);
BOLIDE_SAME(Operation::Transpose, CUBLAS_OP_T);
BOLIDE_SAME(Epilogue::Default, CUBLASLT_EPILOGUE_DEFAULT);
BOLIDE_SAME(Epilogue::Bias, CUBLASLT_EPILOGUE_BIAS);
BOLIDE_SAME(DescAttribute::TransposeA, CUBLASLT_MATMUL_DESC_TRANSA);
BOLIDE_SAME(DescAttribute::TransposeB, CUBLASLT_MATMUL_DESC_TRANSB);
BOLIDE_SAME(DescAttribute::Epilogue, CUBLASLT_MATMUL_DESC_EPILOGUE);
BOLIDE_SAME(DescAttribute::BiasPointer, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
BOLIDE_SAME(LayoutAttribute::BatchCount, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
BOLIDE_SAME(LayoutAttribute::BatchStride, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
BOLIDE_SAME(PreferenceAttribute::MaxWorkspaceBytes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
BOLIDE_SAME(PreferenceAttribute::ReductionSchemes, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
BOLIDE_SAME(ReductionScheme::None, CUBLASLT_REDUCTION_SCHEME_NONE);
BOLIDE_SAME(ReductionScheme::ComputeType, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
BOLIDE_SAME(PreferenceAttribute::AlignmentA, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
BOLIDE_SAME(PreferenceAttribute::AlignmentB, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
BOLIDE_SAME(PreferenceAttribute::AlignmentC, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
BOLIDE_SAME(PreferenceAttribute::AlignmentD, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
#undef BOLIDE_SAME
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(HeuristicResult) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(HeuristicResult, workspace_bytes) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(HeuristicResult, state) == offsetof(cublasLtMatmulHeuristicResult_t, state));
static_assert(sizeof(Handle) == sizeof(cublasLtHandle_t) && sizeof(Layout) == sizeof(cublasLtMatrixLayout_t));
#endif

}  // namespace bolide::cublaslt
