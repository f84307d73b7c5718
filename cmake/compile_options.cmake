# compile_options.cmake - what every target is compiled with: bolide_options.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)

find_program(BOLIDE_CCACHE ccache)
if(BOLIDE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BOLIDE_CCACHE})
endif()

# Integers wrap as in NumPy. Contraction is off so that the CPU, the emulated and the real CUDA device agree;
# formulas that want an fma say so. Without errno and traps sqrt, floor and comparisons become vector code.
set(BOLIDE_MATH_FLAGS -fwrapv -fno-math-errno -fno-trapping-math -ffp-contract=off)

add_library(bolide_options INTERFACE)
target_include_directories(bolide_options INTERFACE ${PROJECT_SOURCE_DIR})
set(cxx_options -Wall -Wextra -Wno-psabi ${BOLIDE_MATH_FLAGS})

set(BOLIDE_KERNEL_OPTIMIZATION -O3)
if(BOLIDE_COVERAGE)
  list(APPEND cxx_options -O1 --coverage -fprofile-update=single)  # a count lost to a race does not matter
  target_link_options(bolide_options INTERFACE --coverage)
  set(BOLIDE_KERNEL_OPTIMIZATION -O1)
endif()
if(BOLIDE_SANITIZE STREQUAL "address")
  set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(BOLIDE_SANITIZE STREQUAL "thread")
  set(sanitizers -fsanitize=thread)
elseif(BOLIDE_SANITIZE)
  message(FATAL_ERROR "BOLIDE_SANITIZE: expected address or thread, got ${BOLIDE_SANITIZE}.")
endif()
if(BOLIDE_SANITIZE)
  list(APPEND cxx_options -O1 -g1 -fno-omit-frame-pointer ${sanitizers})
  target_link_options(bolide_options INTERFACE ${sanitizers})
  set(BOLIDE_KERNEL_OPTIMIZATION -O1)
endif()
target_compile_options(bolide_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${cxx_options}>)

if(NOT BOLIDE_SANITIZE)  # a sanitizer's symbols are found in the program
  set(BOLIDE_LINK_FLAGS -Wl,--no-undefined)
endif()

# Puts a library where the package expects it, in the build tree and when installed: beside the .py files.
function(bolide_place_in_package target)
  set_target_properties(${target} PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${BOLIDE_PACKAGE_DIR} BUILD_RPATH "$ORIGIN" INSTALL_RPATH "$ORIGIN")
  install(TARGETS ${target} LIBRARY DESTINATION bolide COMPONENT python)
endfunction()
