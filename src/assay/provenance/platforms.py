"""Platforms: where numbers were computed, as far as their last bits depend on it.

The same code and seeds give the same bytes on one platform. Another processor sums in another order, and one last bit of one
weight is most of a network's answers some epochs later. So evidence is fresh by plan and code alone, wherever it was made, and
the platform says with what it may be compared bit for bit. No torch here: the main process asks before the first job.
"""

import hashlib
import importlib.metadata
import platform
import re
from pathlib import Path

from assay.language.recipes import canonical

# Python first; then what results may depend on.
PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "scikit-image", "captum", "snakemake")
# Of the processor's flags, those that kernels of torch, MKL and oneDNN choose by.
VECTORS = re.compile(r"avx.*|fma|f16c|amx.*|sse4_\d|asimd.*|sve.*|bf16|i8mm")
NVIDIA = Path("/proc/driver/nvidia")
# What two runs must have in common for their bytes to be compared.
BITS = ("machine", "vendor", "features", "device", "threads", "precision", "torch", "torchvision", "timm", "numpy")


def platform_here(device: str, threads: int, precision: str) -> dict:
    """The platform of this machine: processor, device ("cpu" or the GPU's name), threads of a job, precision, versions."""
    found = versions()
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": _cpu_line("model name") or platform.processor() or "unknown",
        "vendor": _cpu_line("vendor_id") or _cpu_line("CPU implementer"),
        "features": sorted(filter(VECTORS.fullmatch, (_cpu_line("flags") or _cpu_line("Features")).split())),
        "device": device,
        "threads": threads,
        "precision": precision,
        **{name: found.get(name, "") for name in ("torch", "torchvision", "timm", "numpy")},
    }


def platform_key(found: dict) -> str:
    """Eight characters that platforms have in common whose bytes may be compared."""
    return hashlib.sha256(canonical({name: found.get(name) for name in BITS}).encode()).hexdigest()[:8]


def platform_name(found: dict) -> str:
    """A platform for readers, e.g. "AMD EPYC, torch 2.13.0+cpu"."""
    where = found["cpu"] if found["device"] == "cpu" else found["device"]
    return f"{where}, torch {found['torch']}"


def device_here(wanted: str) -> str:
    """The device that jobs will compute on where `auto`, `cpu` or `cuda` is asked for, without importing torch."""
    models = sorted(NVIDIA.glob("gpus/*/information")) if wanted != "cpu" else []
    for path in models:
        for line in path.read_text().splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    return "cpu"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages results may depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _cpu_line(key: str) -> str:
    """The first value of a key in the kernel's description of the processor, empty if there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")
