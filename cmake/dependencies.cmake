# dependencies.cmake - what the build needs from outside: found on the machine first, fetched otherwise.
#
# Header packages of PyPI (dlpack.h, the CUDA runtime's headers) are looked for in the interpreter that
# builds, and can be named instead: -DBOLIDE_DLPACK_INCLUDE=..., -DBOLIDE_CUDA_INCLUDE=...
include(FetchContent)
find_package(Threads REQUIRED)

if(BOLIDE_PYTHON)
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)
else()
  find_package(Python 3.11 QUIET COMPONENTS Interpreter)
endif()

# bolide_find_header(VARIABLE header module subfolder): the folder that holds `header`, in VARIABLE:
# as the cache or the command line says, or in that subfolder of a Python package, found without importing it.
function(bolide_find_header variable header module subfolder)
  if(${variable} OR NOT Python_EXECUTABLE)
    return()
  endif()
  execute_process(
    COMMAND ${Python_EXECUTABLE} -c
      "import importlib.util as u; s = u.find_spec('${module}'); print(*s.submodule_search_locations, sep=';')"
    OUTPUT_VARIABLE folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(TRANSFORM folders APPEND "/${subfolder}")
  find_path(${variable} ${header} PATHS ${folders} NO_DEFAULT_PATH)
endfunction()

function(bolide_find_googletest)
  find_package(GTest QUIET)
  if(NOT GTest_FOUND)
    FetchContent_Declare(googletest
      GIT_REPOSITORY https://github.com/google/googletest.git GIT_TAG v1.14.0 GIT_SHALLOW ON)
    set(INSTALL_GTEST OFF)
    FetchContent_MakeAvailable(googletest)
  endif()
endfunction()

function(bolide_find_benchmark)
  find_package(benchmark QUIET)
  if(NOT benchmark_FOUND)
    FetchContent_Declare(benchmark
      GIT_REPOSITORY https://github.com/google/benchmark.git GIT_TAG v1.8.3 GIT_SHALLOW ON)
    set(BENCHMARK_ENABLE_TESTING OFF)
    set(BENCHMARK_ENABLE_INSTALL OFF)
    FetchContent_MakeAvailable(benchmark)
  endif()
endfunction()
