# libtorch as the PyPI wheel carries it, without Caffe2's CMake files (these insist on a CUDA toolkit).
#
#   LIBTORCH_ROOT   the folder that holds include/ and lib/ (site-packages/torch); by default where
#                   ./run puts it, else the torch of the python3 on the path
#
# Gives the imported targets Libtorch::cpu and, with LUCIVOX_CUDA, Libtorch::cuda.

set(LIBTORCH_ROOT "" CACHE PATH "site-packages/torch of the torch wheel")
if(NOT LIBTORCH_ROOT)
  if(EXISTS ${CMAKE_SOURCE_DIR}/build/deps/torch/include)
    set(LIBTORCH_ROOT ${CMAKE_SOURCE_DIR}/build/deps/torch)
  else()
    execute_process(COMMAND python3 -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
                    OUTPUT_VARIABLE LIBTORCH_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_path(LIBTORCH_INCLUDE torch/csrc/api/include/torch/torch.h PATHS ${LIBTORCH_ROOT}/include NO_DEFAULT_PATH)
find_library(LIBTORCH_CPU torch_cpu PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH)
find_package_handle_standard_args(Libtorch
  REQUIRED_VARS LIBTORCH_INCLUDE LIBTORCH_CPU
  REASON_FAILURE_MESSAGE "run ./run build once, or give -DLIBTORCH_ROOT=.../site-packages/torch")

set(_lib ${LIBTORCH_ROOT}/lib)
# torch's own OpenMP runtime and ours must be one and the same, or their threads would oversubscribe the
# cores: we compile with -fopenmp and link the libgomp that libtorch_cpu loads.
file(GLOB _gomp ${_lib}/libgomp*.so* ${LIBTORCH_ROOT}/../torch.libs/libgomp*.so*)
if(NOT _gomp)
  set(_gomp gomp)
endif()
file(GLOB _cudart_dir ${LIBTORCH_ROOT}/../nvidia/cu13/lib)

add_library(Libtorch::openmp INTERFACE IMPORTED)
target_compile_options(Libtorch::openmp INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
target_link_libraries(Libtorch::openmp INTERFACE ${_gomp})

add_library(Libtorch::cpu INTERFACE IMPORTED)
target_include_directories(Libtorch::cpu SYSTEM INTERFACE
  ${LIBTORCH_ROOT}/include ${LIBTORCH_ROOT}/include/torch/csrc/api/include)
target_link_libraries(Libtorch::cpu INTERFACE ${_lib}/libtorch_cpu.so ${_lib}/libc10.so Libtorch::openmp)
target_link_options(Libtorch::cpu INTERFACE
  -Wl,-rpath,${_lib} -Wl,--allow-shlib-undefined
  $<$<BOOL:${_cudart_dir}>:-Wl,-rpath-link,${_cudart_dir}>)

if(LUCIVOX_CUDA)
  # ProcessGroupNCCL is made by our code with the size that its header gives it, which depends on NCCL's.
  file(STRINGS ${CMAKE_SOURCE_DIR}/setup/wheels-cuda.txt _nccl REGEX "^nvidia-nccl-cu13==")
  string(REGEX REPLACE ".*==" "" _nccl "${_nccl}")
  find_path(NCCL_INCLUDE nccl.h PATHS ${LIBTORCH_ROOT}/../nvidia/nccl/include NO_DEFAULT_PATH)
  find_path(NCCL_INCLUDE nccl.h REQUIRED)
  set(_found)
  foreach(_part MAJOR MINOR PATCH)
    file(STRINGS ${NCCL_INCLUDE}/nccl.h _line REGEX "define NCCL_${_part} ")
    string(REGEX MATCH "[0-9]+" _number "${_line}")
    list(APPEND _found ${_number})
  endforeach()
  list(JOIN _found "." _found)
  if(NOT _found STREQUAL _nccl)
    message(FATAL_ERROR "${NCCL_INCLUDE}/nccl.h is of NCCL ${_found}, libtorch was built with ${_nccl}: ./run build cuda installs it")
  endif()
  if(NOT EXISTS ${LIBTORCH_ROOT}/../nvidia/cudnn/lib)
    message(STATUS "CUDA's libraries are not beside libtorch: what is linked will not start (./run build cuda installs them)")
  endif()

  add_library(Libtorch::cuda INTERFACE IMPORTED)
  target_include_directories(Libtorch::cuda SYSTEM INTERFACE ${NCCL_INCLUDE})
  target_link_libraries(Libtorch::cuda INTERFACE Libtorch::cpu
    # the CUDA half registers itself when loaded; nothing refers to it by name
    "-Wl,--no-as-needed,${_lib}/libtorch_cuda.so,${_lib}/libc10_cuda.so,--as-needed")
endif()
