"""What a benchmark states about the machine it ran on."""

import os
import pathlib
import platform
import subprocess


def facts():
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "features": cpu_features(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_at_start": os.getloadavg()[0],
        "gpus": gpus(),
        "system": platform.platform(),
    }


def describe(of):
    features = " ".join(of["features"])
    return f"{of['cpu']}, {of['cores']} cores ({features}), {of['memory_gb']} GB, load {of['load_at_start']:.1f}"


def cpu_model():
    # lscpu also knows the names of ARM cores, which /proc/cpuinfo leaves out
    for line in output_of("lscpu").splitlines():
        if line.startswith("Model name:"):
            return line.partition(":")[2].strip()
    return platform.machine()


def cpu_features():
    names = {"avx2": "avx2", "avx512f": "avx512f", "asimd": "neon"}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("flags", "Features")):
            flags = line.partition(":")[2].split()
            return [name for flag, name in names.items() if flag in flags]
    return []


def gpus():
    return output_of("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()


def commit(root):
    changed = "-changed" if output_of("git", "-C", root, "status", "--porcelain", "--untracked-files=no") else ""
    return output_of("git", "-C", root, "rev-parse", "--short", "HEAD").strip() + changed


def output_of(*command):
    """What a program prints; nothing when it is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
