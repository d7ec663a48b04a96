# shellcheck shell=bash
# Sourced by ./run: installs what the lists in setup/ name, each only when missing. Says what it does, a line a step; the chatter of apt and pip goes to build/setup.log.

step() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }

die() { # WHAT HINT
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

# The names in a list: one a line, comments after '#'.
listed() { sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$1"; }

# Runs a command with its output in the log, which is shown when the command fails.
logged() { # WHAT COMMAND...
  local what=$1 log=build/setup.log
  shift
  mkdir -p build
  "$@" >"$log" 2>&1 && return
  tail -n 30 "$log" >&2
  die "$what failed" "the whole output is in $log; run the same command again when its cause is gone"
}

missing_packages() { # LIST
  local package
  for package in $(listed "$1"); do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

install_packages() { # LIST
  command -v dpkg-query >/dev/null ||
    die "this is not a Debian system" "install what $1 names by other means, on Debian 12 ./run does it"
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$1")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null ||
      die "packages are missing and only root can install them" "as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  step "installing ${#missing[@]} Debian packages: ${missing[*]}"
  logged "apt-get update" "${as_root[@]}" apt-get update
  logged "apt-get install" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}"
}

checksum() { sha256sum "$1" | cut -d ' ' -f 1; }

# A folder made from a list is up to date when it holds the list's checksum.
made_from() { # FOLDER LIST
  [[ -f $1/.made-from && $(<"$1/.made-from") == "$(checksum "$2")" ]]
}

require_space() { # GIGABYTES WHAT
  local free
  free=$(df --output=avail --block-size=1G build | tail -n 1)
  [[ $free -ge $1 ]] || die "$2 needs $1 GB on the disk, $PWD/build has $free GB left" "free some space"
}

# Fills a new folder with the wheels that a list names.
unpack_wheels() { # FOLDER LIST
  local folder=$1 list=$2 arch
  arch=$(uname -m)
  rm -rf "$folder"
  mkdir -p "$folder/tmp"
  # The tags are those that Debian 12's glibc (2.36) satisfies and the wheels are published under; python3 may be
  # of another version than the wheels, for nothing Python of them is run.
  TMPDIR="$PWD/$folder/tmp" logged "pip install" /usr/bin/python3 -m pip install --disable-pip-version-check --no-deps \
    --only-binary=:all: --implementation cp --python-version 3.11 \
    --platform="manylinux_2_"{28..17}"_$arch" --platform="manylinux2014_$arch" \
    --target "$folder" -r "$list"
  rm -rf "$folder/tmp"
}

install_wheels() {
  made_from build/deps setup/wheels.txt && return
  mkdir -p build
  require_space 3 "libtorch"
  step "installing libtorch into build/deps"
  # Into a folder beside it, so that an interrupted installation is never taken for whole.
  local fresh=build/deps.partial
  unpack_wheels "$fresh" setup/wheels.txt
  checksum setup/wheels.txt >"$fresh/.made-from"
  rm -rf build/deps
  mv "$fresh" build/deps
}

# What libtorch's CUDA half loads, where it looks for it: beside itself.
install_cuda_wheels() {
  made_from build/deps/nvidia setup/wheels-cuda.txt && return
  require_space 10 "CUDA's libraries"
  step "installing CUDA's libraries into build/deps"
  local fresh=build/deps-cuda.partial
  unpack_wheels "$fresh" setup/wheels-cuda.txt
  cp -r --no-clobber "$fresh/nvidia/." build/deps/nvidia/
  rm -rf "$fresh"
  checksum setup/wheels-cuda.txt >build/deps/nvidia/.made-from
}

# To compile CUDA code: the header of the NCCL that libtorch was built with, unless the system has it.
install_nccl_header() {
  local wanted header version
  wanted=$(sed -n 's/^nvidia-nccl-cu13==//p' setup/wheels-cuda.txt)
  for header in build/deps/nvidia/nccl/include/nccl.h /usr/local/include/nccl.h /usr/include/nccl.h; do
    [[ -f $header ]] || continue
    version=$(awk '/define NCCL_(MAJOR|MINOR|PATCH) / {printf "%s%s", dot, $3; dot = "."}' "$header")
    [[ $version != "$wanted" ]] || return 0
  done
  step "installing the header of NCCL $wanted"
  local fresh=build/nccl.partial
  unpack_wheels "$fresh" <(grep '^nvidia-nccl' setup/wheels-cuda.txt)
  mkdir -p build/deps/nvidia/nccl
  cp -r --no-clobber "$fresh/nvidia/nccl/include" build/deps/nvidia/nccl/
  rm -rf "$fresh"
}

install_dependencies() {
  install_packages setup/apt.txt
  install_wheels
}

# A Python environment of what a list names. It knows its own path, so it is made in place; without the stamp it is
# not whole and is made again.
install_environment() { # FOLDER LIST GIGABYTES WHAT
  local folder=$1 list=$2
  made_from "$folder" "$list" && return
  mkdir -p build
  require_space "$3" "$4"
  step "installing $4 into $folder"
  rm -rf "$folder"
  logged "python3 -m venv" /usr/bin/python3 -m venv "$folder"
  mkdir "$folder/tmp"
  TMPDIR="$PWD/$folder/tmp" logged "pip install" \
    "$folder/bin/python" -m pip install --disable-pip-version-check --only-binary=:all: -r "$list"
  rm -rf "$folder/tmp"
  checksum "$list" >"$folder/.made-from"
}

install_peers() { install_environment build/peers setup/peers.txt 8 "the benchmarks' peers"; }
install_readers() { # other programs that the tests give our files to
  install_packages setup/apt-test.txt
  install_environment build/readers setup/readers.txt 1 "the tests' readers"
}
install_tidy() { install_environment build/clang-tidy setup/tidy.txt 1 "clang-tidy"; }
