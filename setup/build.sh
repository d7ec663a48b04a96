# shellcheck shell=bash
# Sourced by ./run: configures and builds the presets of CMakePresets.json.

# A compiler that reads libtorch's headers takes up to 2 GB.
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable/ {print int($2 / 1048576 / 2)}' /proc/meminfo)
  [[ $memory -ge 1 ]] || memory=1
  echo $((cores < memory ? cores : memory))
}

configure() { # PRESET [CMAKE ARGS]
  local preset=$1
  shift
  step "configuring $preset"
  logged "cmake" cmake --preset "$preset" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@"
}

build() { # PRESET TARGET
  local jobs
  jobs=$(build_jobs)
  step "building $2 of $1, $jobs at a time"
  cmake --build --preset "$1" --parallel "$jobs" --target "$2"
}

find_nvcc() {
  command -v nvcc || { [[ -x /usr/local/cuda/bin/nvcc ]] && echo /usr/local/cuda/bin/nvcc; }
}

# Compiles the CUDA kernels where there is a compiler for them; it takes a GPU to test them.
compile_cuda() {
  local nvcc major
  nvcc=$(find_nvcc) || {
    step "nvcc not found: CUDA code not compiled"
    return 0
  }
  major=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
  [[ $major == 13 ]] || {
    step "$nvcc is of CUDA $major, libtorch of CUDA 13: CUDA code not compiled"
    return 0
  }
  install_nccl_header
  step "compiling the CUDA code with $nvcc"
  CUDACXX=$nvcc cmake --preset cuda -DLUCIVOX_BENCH=ON -DCMAKE_CXX_COMPILER_LAUNCHER=ccache >build/cuda.log 2>&1 || {
    tail -n 30 build/cuda.log >&2
    return 1
  }
  cmake --build --preset cuda --parallel "$(build_jobs)" --target \
    lucivox_kernels_cuda lucivox_ray_kernels_gpu lucivox_capture lucivox_nccl test_projector_cuda_object \
    bench_projectors_cuda
}
