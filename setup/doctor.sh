#!/usr/bin/env bash
# What ./run needs and whether it is there. Works before anything is installed or built.
set -euo pipefail
# shellcheck source=setup/install.sh
source setup/install.sh
# shellcheck source=setup/build.sh
source setup/build.sh

row() { printf '%-18s %s\n' "$1" "$2"; }

version_of() { # PROGRAM
  if command -v "$1" >/dev/null; then "$1" --version 2>/dev/null | head -n 1; else echo "missing"; fi
}

packages() {
  local missing
  command -v dpkg-query >/dev/null || { echo "not a Debian system"; return; }
  missing=$(missing_packages setup/apt.txt | xargs)
  if [[ -z $missing ]]; then echo "all $(listed setup/apt.txt | wc -l) there"; else echo "missing: $missing"; fi
}

installed_from() { # FOLDER LIST
  if made_from "$1" "$2"; then echo "there: $(listed "$2" | xargs)"; else echo "missing or out of date"; fi
}

cpu_model() { lscpu | sed -n 's/^Model name: *//p' | head -n 1; }

cpu_features() {
  local flags feature found=()
  flags=$(grep -m 1 -E '^(flags|Features)' /proc/cpuinfo || true)
  for feature in avx2 avx512f asimd; do
    [[ " $flags " == *" $feature "* ]] && found+=("${feature/asimd/neon}")
  done
  echo "${found[*]:-none of avx2, avx512f, neon}"
}

gpus() {
  if ! command -v nvidia-smi >/dev/null; then echo "none (no nvidia-smi)"; return; fi
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2>/dev/null || echo "none that answers"
}

# shellcheck source=/dev/null
row "system" "$(. /etc/os-release && echo "$PRETTY_NAME"), $(uname -m)"
row "processor" "$(cpu_model), $(nproc) cores"
row "instructions" "$(cpu_features)"
row "memory" "$(awk '/^MemTotal/ {printf "%.0f GB", $2 / 1048576}' /proc/meminfo)"
row "disk free" "$(df --output=avail --block-size=1G . | tail -n 1 | xargs) GB"
row "GPU" "$(gpus)"
row "Debian packages" "$(packages)"
row "libtorch" "$(installed_from build/deps setup/wheels.txt)"
row "bench peers" "$(made_from build/peers setup/peers.txt && echo there || echo "missing (./run bench installs them)")"
row "compiler" "$(version_of g++)"
row "cmake" "$(version_of cmake)"
row "ninja" "$(version_of ninja)"
row "ccache" "$(version_of ccache)"
row "nvcc" "$(find_nvcc || echo "missing (only needed to compile for GPUs)")"
if [[ -x build/release/bin/lucivox ]]; then
  echo
  build/release/bin/lucivox doctor
else
  row "lucivox" "not built (./run build)"
fi
