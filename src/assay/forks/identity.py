"""What a parent and its clients have in common: libraries, interpreter, and all that a process inherits.

A parent is started by exec from its first client, so it has what that one inherited: limits, priority, processors, umask, groups,
namespaces, ignored signals. All of it is part of the parent's name. What differs from job to job (arguments, environment,
folder, open files) a client sends along. No torch here, and no import that costs.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

PARENT = Path(__file__).with_name("parent.py")
SHIM = Path(__file__).parents[1] / "training" / "shim.py"

# What jobs import, in this order; the parent leaves out what is not installed.
LIBRARIES = (
    *("snakemake.iocontainers", "snakemake.logging", "numpy", "torch", "timm", "timm.data", "torchvision.transforms.v2"),
    *("torch.distributed.launcher.api", "torch.optim.swa_utils", "torch.func", "safetensors.torch", "threadpoolctl"),
    *("captum.attr", "scipy.stats", "scipy.ndimage", "scipy.optimize", "scipy.special", "scipy.io", "skimage.metrics"),
    *("skimage.feature", "sklearn.svm", "sklearn.linear_model", "sklearn.metrics", "sklearn.pipeline"),
    *("sklearn.preprocessing", "pandas", "matplotlib.figure", "matplotlib.backends.backend_svg"),
    *("matplotlib.backends.backend_pdf", "PIL.Image", "jinja2", "markdown_it", "yaml", "huggingface_hub"),
    *("pydantic.main", "pydantic.types", "pydantic.type_adapter", "pydantic.json_schema", "pydantic.plugin._loader"),
    *("annotated_types", "concurrent.futures.process"),
)

# Variables that libraries read when they are loaded or imported, by what their names begin with.
READ_AT_IMPORT = (
    *("LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "PYTHON", "TZ", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "VECLIB_", "NUMEXPR_", "DNNL_", "ONEDNN_", "ATEN_"),
    *("TORCH", "PYTORCH", "AOT", "TRITON", "CUDA", "CUBLAS", "CUDNN", "NVIDIA", "NCCL", "HIP_", "ROCR_", "HSA_"),
    *("HF_", "HUGGINGFACE", "TIMM", "NPY_", "NUMPY", "SCIPY", "SKLEARN", "SKIMAGE", "JOBLIB", "LOKY", "MPL", "MATPLOTLIB"),
    *("ARROW", "JE_ARROW", "PANDAS", "PIL_", "PILLOW", "CAPTUM", "IMAGEIO", "SSL_", "KINETO", "PYDANTIC"),
)
# The path of modules is a client's own, and travels with it.
NOT_READ = ("PYTHONPATH",)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
INHERITED = (
    *("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"),
    *("Seccomp", "Cpus_allowed", "Mems_allowed"),
)


def is_library_folder(folder: str) -> bool:
    """Whether packages are installed in a folder of the search path."""
    return os.path.basename(folder) in ("site-packages", "dist-packages")


def library_folders() -> list[str]:
    """Those of this process's search path."""
    return list(dict.fromkeys(filter(is_library_folder, sys.path)))


def environment_of_parent() -> dict[str, str]:
    """The variables a parent starts with: none of a job's, and none that could be a secret."""
    read = {name: value for name, value in os.environ.items() if name.startswith(READ_AT_IMPORT) and name not in NOT_READ}
    # Arrow's allocator would start a thread of its own.
    return {"JE_ARROW_MALLOC_CONF": "background_thread:false", **read, **dict.fromkeys(THREADS, "1")}


def name_of_parent() -> str:
    """Sixteen hexadecimal digits that processes have in common that may be forked from one parent."""
    text = json.dumps([_interpreter(), _installed(), environment_of_parent(), _inherited(), _own_code(), LIBRARIES])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _interpreter() -> list:
    return [sys.executable, sys.version, sys.prefix, sys.base_prefix, list(sys.flags), sys.warnoptions, sorted(sys._xoptions)]


def _installed() -> list:
    """What is installed, and when: every distribution leaves a folder."""
    found = []
    for folder in library_folders():
        entries = [entry for entry in os.scandir(folder) if entry.name.endswith((".dist-info", ".egg-info", ".pth"))]
        found.append([folder, sorted((entry.name, entry.stat().st_mtime_ns) for entry in entries)])
    return found


def _inherited() -> list:
    status = dict(line.partition(":")[::2] for line in _read("/proc/self/status").splitlines())
    spaces = [os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))]
    root = os.stat("/")
    return [
        [status.get(name, "").strip() for name in INHERITED],
        *(_read(f"/proc/self/{name}") for name in ("limits", "cgroup", "oom_score_adj", "personality")),
        *(spaces, [root.st_dev, root.st_ino], os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)),
    ]


def _own_code() -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in (PARENT, SHIM)]


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
