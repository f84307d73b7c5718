# python_module.cmake - the extension module bolide._C, and links to the .py files beside it.

if(NOT pybind11_DIR)
  execute_process(COMMAND ${Python_EXECUTABLE} -m pybind11 --cmakedir
    OUTPUT_VARIABLE pybind11_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
set(PYBIND11_FINDPYTHON ON)
find_package(pybind11 3.1 CONFIG REQUIRED)
bolide_find_header(BOLIDE_DLPACK_INCLUDE dlpack/dlpack.h tvm_ffi include)
if(NOT BOLIDE_DLPACK_INCLUDE)
  message(FATAL_ERROR "dlpack/dlpack.h: expected in the Python package apache-tvm-ffi, found nowhere. "
    "Run: ${Python_EXECUTABLE} -m pip install apache-tvm-ffi, or set BOLIDE_DLPACK_INCLUDE.")
endif()

file(GLOB binding_sources CONFIGURE_DEPENDS bindings/*.cpp)
if(binding_sources)
  Python_add_library(_C MODULE WITH_SOABI ${binding_sources})
  target_link_libraries(_C PRIVATE bolide pybind11::headers)
  target_include_directories(_C SYSTEM PRIVATE ${BOLIDE_DLPACK_INCLUDE})
  target_compile_definitions(_C PRIVATE BOLIDE_VERSION="${PROJECT_VERSION}")
  bolide_place_in_package(_C)
  # What type checkers and editors know of it, written by the module itself.
  if(EXISTS ${PROJECT_SOURCE_DIR}/python/bolide/_stubs.py AND NOT BOLIDE_SANITIZE)
    add_custom_command(TARGET _C POST_BUILD
      COMMAND ${CMAKE_COMMAND} -E env PYTHONPATH=${PROJECT_BINARY_DIR}/python
        ${Python_EXECUTABLE} -m bolide._stubs ${BOLIDE_PACKAGE_DIR}
      BYPRODUCTS ${BOLIDE_PACKAGE_DIR}/_C.pyi VERBATIM)
    install(FILES ${BOLIDE_PACKAGE_DIR}/_C.pyi DESTINATION bolide COMPONENT python)
  endif()
endif()

# Links, so that an edited .py file is what runs. Folders are linked whole; a link whose file is gone goes too.
file(MAKE_DIRECTORY ${BOLIDE_PACKAGE_DIR})
file(GLOB package_entries CONFIGURE_DEPENDS LIST_DIRECTORIES true RELATIVE ${PROJECT_SOURCE_DIR}/python/bolide
  ${PROJECT_SOURCE_DIR}/python/bolide/*)
file(GLOB links LIST_DIRECTORIES true ${BOLIDE_PACKAGE_DIR}/*)
foreach(link ${links})
  if(IS_SYMLINK ${link} AND NOT EXISTS ${link})
    file(REMOVE ${link})
  endif()
endforeach()
foreach(entry ${package_entries})
  if(NOT entry STREQUAL "__pycache__")
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/python/bolide/${entry} ${BOLIDE_PACKAGE_DIR}/${entry} SYMBOLIC)
  endif()
endforeach()
