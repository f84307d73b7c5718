# cuda.cmake - kernels/cuda/ as libbolide_cuda.so (nvcc), and the list of shards that the emulation shares.
#
# Every .cu and .cpp of kernels/cuda is compiled once, except those that BOLIDE_CUDA_SHARDS lists: these are
# compiled once per shard, to keep each compiler run short and small. To shard another file, add a line.
include_guard(DIRECTORY)

#   file | name of the shard | its definitions, by commas
set(BOLIDE_CUDA_SHARDS)
foreach(type "f16;F16;float" "bf16;BF16;float" "f32;float;float" "f64;double;double"
             "i32;int32_t;int32_t" "i64;int64_t;int64_t" "c64;C64;C64"
             "c128;C128;C128")
  list(GET type 0 table)
  list(GET type 1 stored)
  list(GET type 2 compute)
  list(APPEND BOLIDE_CUDA_SHARDS
    "elementwise_loops.cu|${table}|BOLIDE_STORED=${stored},BOLIDE_COMPUTE=${compute},BOLIDE_TABLE=${table}")
  if(stored STREQUAL compute)
    list(APPEND BOLIDE_CUDA_SHARDS "reduce_loops.cu|${table}|BOLIDE_COMPUTE=${compute},BOLIDE_TABLE=${table}")
  endif()
endforeach()

# bolide_add_cuda_objects(target): the sources of kernels/cuda, linked into `target`, compiled with what the
# interface library <target>_options says.
function(bolide_add_cuda_objects target)
  set(folder ${PROJECT_SOURCE_DIR}/kernels/cuda)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cu ${folder}/*.cpp)
  foreach(line ${BOLIDE_CUDA_SHARDS})
    string(REPLACE "|" ";" shard "${line}")
    list(GET shard 0 file)
    list(GET shard 1 name)
    list(GET shard 2 definitions)
    string(REPLACE "," ";" definitions "${definitions}")
    list(REMOVE_ITEM sources ${folder}/${file})
    get_filename_component(stem ${file} NAME_WE)
    add_library(${target}_${stem}_${name} OBJECT ${folder}/${file})
    target_link_libraries(${target}_${stem}_${name} PRIVATE ${target}_options)
    target_compile_definitions(${target}_${stem}_${name} PRIVATE ${definitions})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${stem}_${name}>)
  endforeach()
  target_sources(${target} PRIVATE ${sources})
  target_link_libraries(${target} PRIVATE ${target}_options bolide Threads::Threads ${CMAKE_DL_LIBS})
  target_link_options(${target} PRIVATE ${BOLIDE_LINK_FLAGS})
endfunction()

macro(bolide_add_cuda_library)
  # Which GPUs is said below. The CMake of Debian 12 knows neither 90a nor how to ask nvcc for C++20.
  set(CMAKE_CUDA_ARCHITECTURES OFF)
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 20)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG")

  add_library(bolide_cuda SHARED)
  add_library(bolide_cuda_options INTERFACE)
  target_link_libraries(bolide_cuda_options INTERFACE bolide_options)
  target_include_directories(bolide_cuda_options SYSTEM INTERFACE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
  target_compile_definitions(bolide_cuda_options INTERFACE BOLIDE_ISA=cuda)
  # sm_80 and sm_90a as machine code; PTX of plain compute_90 (90a's runs on nothing newer) for what comes later.
  set(BOLIDE_CUDA_TARGETS 80 90a 90-virtual CACHE STRING "GPUs to compile for: one is quicker, while developing")
  set(targets)
  foreach(gpu ${BOLIDE_CUDA_TARGETS})
    string(REPLACE "-virtual" "" architecture ${gpu})
    string(REGEX MATCH "virtual" virtual ${gpu})
    set(code sm_${architecture})
    if(virtual)
      set(code compute_${architecture})
    endif()
    list(APPEND targets -gencode=arch=compute_${architecture},code=${code})
  endforeach()
  target_compile_options(bolide_cuda_options INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:
    --expt-relaxed-constexpr -compress-mode=size -Xcompiler=-Wall,-Wextra,-fwrapv,-ffp-contract=off,-fno-strict-aliasing
    --fmad=false ${targets}>)
  set_target_properties(bolide_cuda PROPERTIES CUDA_ARCHITECTURES OFF CUDA_RUNTIME_LIBRARY Static)
  bolide_add_cuda_objects(bolide_cuda)
  bolide_place_in_package(bolide_cuda)
endmacro()

# tests/gpu: kernels and backend beside the CPU's (test_*.cpp), and two programs for tests/gpu/run.sh. They find the
# device as every program does: a GPU, or the emulated one where BOLIDE_CUDA_LIBRARY names it.
if(BOLIDE_TESTS)
  bolide_find_googletest()
  file(GLOB cuda_tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/gpu/test_*.cpp)
  add_executable(bolide_cuda_tests ${cuda_tests})
  target_link_libraries(bolide_cuda_tests PRIVATE bolide GTest::gtest_main Threads::Threads)
  foreach(program conformance measure)
    add_executable(bolide_gpu_${program} ${PROJECT_SOURCE_DIR}/tests/gpu/${program}.cpp)
    target_link_libraries(bolide_gpu_${program} PRIVATE bolide GTest::gtest Threads::Threads)
  endforeach()
endif()
