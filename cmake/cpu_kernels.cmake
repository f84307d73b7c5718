# cpu_kernels.cmake - kernels/cpu/*.cpp once per ISA, and the elementwise loops once per ISA and compute type.
#
# A new file in kernels/cpu is compiled for every ISA. Two lists below name the exceptions.

set(isas baseline avx2 avx512)
set(flags_baseline -march=x86-64-v2)
set(flags_avx2 -mavx2 -mfma -mbmi2 -mf16c)
set(flags_avx512 ${flags_avx2} -mavx512f -mavx512vl -mavx512dq -mavx512bw -mavx512cd
  -mprefer-vector-width=512)
if(BOLIDE_GENERIC_CPU OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(BOLIDE_GENERIC_CPU ON)
  set(isas generic)
  set(flags_generic "")
endif()

# -O3 unrolls loops, peels them and writes out what is rare. For machines of before 2013 vectors are enough, at two
# thirds of the size; the elementwise loops, which have their own steps, gain nothing by it.
set(optimization_baseline -O2 -ftree-vectorize -fvect-cost-model=dynamic)
if(NOT BOLIDE_KERNEL_OPTIMIZATION STREQUAL "-O3")
  set(optimization_baseline ${BOLIDE_KERNEL_OPTIMIZATION})
endif()

set(once cpu_dispatch lapack openblas rare sort)    # compiled once, without an ISA's flags
set(with_fma matmul convolution)        # their sums are chains of fused multiply-adds

function(bolide_cpu_objects name isa)
  add_library(${name} OBJECT ${ARGN})
  target_link_libraries(${name} PRIVATE bolide_options)
  set(optimization ${BOLIDE_KERNEL_OPTIMIZATION})
  if(name STREQUAL "kernels_baseline")
    set(optimization ${optimization_baseline})
  endif()
  target_compile_options(${name} PRIVATE ${optimization} ${flags_${isa}})
  target_compile_definitions(${name} PRIVATE BOLIDE_ISA=${isa})
endfunction()

function(bolide_add_cpu_kernels target)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cpu/*.cpp)
  set(folder ${PROJECT_SOURCE_DIR}/kernels/cpu)
  set(loops ${folder}/elementwise_loops.cpp)
  set(plain ${once})
  list(TRANSFORM plain REPLACE "(.+)" "${folder}/\\1.cpp")
  set(fma ${with_fma})
  list(TRANSFORM fma REPLACE "(.+)" "${folder}/\\1.cpp")
  list(REMOVE_ITEM sources ${plain} ${loops})
  set_source_files_properties(${fma} PROPERTIES COMPILE_OPTIONS -ffp-contract=fast)
  # Vector code as elsewhere, without the copies of it that -O3 makes for what is left over: they were a third of the file.
  set_source_files_properties(${folder}/reduce.cpp PROPERTIES COMPILE_OPTIONS
    "-O2;-ftree-vectorize;-fvect-cost-model=dynamic;--param=vect-epilogues-nomask=0")

  foreach(isa ${isas})
    bolide_cpu_objects(kernels_${isa} ${isa} ${sources})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:kernels_${isa}>)
    foreach(type "float;f32" "double;f64" "int32_t;i32" "int64_t;i64" "C64;c64" "C128;c128")
      list(GET type 0 compute)
      list(GET type 1 short)
      bolide_cpu_objects(loops_${isa}_${short} ${isa} ${loops})
      target_compile_definitions(loops_${isa}_${short} PRIVATE
        BOLIDE_TYPE=${compute} BOLIDE_TABLE=${isa}_${short})
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:loops_${isa}_${short}>)
    endforeach()
  endforeach()
  target_sources(${target} PRIVATE ${plain})
  if(BOLIDE_GENERIC_CPU)
    target_compile_definitions(${target} PRIVATE BOLIDE_GENERIC_CPU)
  endif()
endfunction()
