"""Platforms: what two runs must have in common for their bytes to be compared, read off a machine described in a folder."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from assay.provenance import platforms
from assay.provenance.platforms import device_here, platform_here, platform_key, platform_name, versions

INTEL = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8488C
flags\t\t: fpu vme sse4_1 sse4_2 avx avx2 fma f16c avx512f avx512_bf16 amx_tile ht syscall nx

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: another core
flags\t\t: fpu
"""
ARM = """processor\t: 0
CPU implementer\t: 0x41
Features\t: fp asimd evtstrm aes asimdhp asimddp sve i8mm bf16 paca
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Put a machine in the place of this one: what its kernel says of the processor, and of its GPUs."""

    def put(cpuinfo: str | None = INTEL, *gpus: str) -> None:
        path = tmp_path / "cpuinfo"
        path.unlink(missing_ok=True)
        if cpuinfo is not None:
            path.write_text(cpuinfo)
        monkeypatch.setattr(platforms, "Path", lambda name: path if name == "/proc/cpuinfo" else Path(name))
        for number, model in enumerate(gpus):
            about = tmp_path / "nvidia/gpus" / f"0000:0{number}:00.0" / "information"
            about.parent.mkdir(parents=True)
            about.write_text(f"IRQ: 16\nModel: \t\t {model}\nGPU UUID: GPU-1\n")
        monkeypatch.setattr(platforms, "NVIDIA", tmp_path / "nvidia")

    return put


def test_a_machine_is_described_by_its_first_processor(machine):
    machine()
    found = platform_here("cpu", 2, "float32")
    assert found["cpu"] == "Intel(R) Xeon(R) Platinum 8488C"
    assert found["vendor"] == "GenuineIntel"
    assert found["features"] == ["amx_tile", "avx", "avx2", "avx512_bf16", "avx512f", "f16c", "fma", "sse4_1", "sse4_2"]
    assert (found["device"], found["threads"], found["precision"]) == ("cpu", 2, "float32")
    assert found["torch"] == importlib.metadata.version("torch")
    assert found["timm"] == importlib.metadata.version("timm")


def test_other_architectures_call_things_otherwise(machine):
    machine(ARM)
    found = platform_here("cpu", 1, "float32")
    assert found["vendor"] == "0x41"
    assert found["features"] == ["asimd", "asimddp", "asimdhp", "bf16", "i8mm", "sve"]


@pytest.mark.parametrize("text", [None, "", "no colon\n:\n"])
def test_where_the_kernel_says_nothing_the_rest_is_told(machine, text):
    machine(text)
    found = platform_here("cpu", 1, "float32")
    assert (found["vendor"], found["features"]) == ("", [])
    assert found["cpu"]
    assert len(platform_key(found)) == 8


MATTERS = {
    "machine": "aarch64",
    "vendor": "AuthenticAMD",
    "features": ["avx", "avx2"],
    "device": "NVIDIA H200",
    "threads": 2,
    "precision": "bfloat16",
    "torch": "2.14.0",
    "torchvision": "0.99.0",
    "timm": "1.1.0",
    "numpy": "3.0.0",
}


@pytest.mark.parametrize("name", MATTERS)
def test_what_bytes_depend_on_makes_another_platform(machine, name):
    machine()
    found = platform_here("cpu", 1, "float32")
    assert found[name] != MATTERS[name]
    assert platform_key(found | {name: MATTERS[name]}) != platform_key(found)


@pytest.mark.parametrize("change", [{"cpu": "Intel(R) Xeon(R) Gold 6430"}, {"system": "Darwin"}, {"more": "recorded"}])
def test_what_they_do_not_depend_on_does_not(machine, change):
    machine()
    found = platform_here("cpu", 1, "float32")
    assert platform_key(found | change) == platform_key(found)


def test_processors_of_other_names_and_the_same_features_are_one_platform(machine):
    machine()
    first = platform_here("cpu", 1, "float32")
    machine(INTEL.replace("Platinum 8488C", "Gold 6430").replace("sse4_1 sse4_2 avx", "avx sse4_2 sse4_1").replace(" nx", " smx"))
    second = platform_here("cpu", 1, "float32")
    assert second["cpu"] != first["cpu"]
    assert platform_key(second) == platform_key(first)
    machine(INTEL.replace(" amx_tile", ""))
    assert platform_key(platform_here("cpu", 1, "float32")) != platform_key(first)


def test_a_key_is_the_same_in_every_process(machine):
    """It is part of the names of archived folders; the one of nothing was computed with sha256sum."""
    assert platform_key({}) == "a70257d0"
    assert platform_key({"torch": "2"}) == platform_key(dict(reversed({"torch": "2", "cpu": "x"}.items())))


def test_platforms_are_told_apart_in_words(machine):
    machine()
    found = platform_here("cpu", 1, "float32") | {"torch": "2.13.0"}
    assert platform_name(found) == "Intel(R) Xeon(R) Platinum 8488C, torch 2.13.0"
    assert platform_name(found | {"device": "NVIDIA H200"}) == "NVIDIA H200, torch 2.13.0"


def test_the_device_is_known_before_torch_is_imported(machine):
    machine()
    assert device_here("auto") == device_here("cuda") == "cpu"
    machine(INTEL, "NVIDIA H200", "NVIDIA H200")
    assert device_here("auto") == device_here("cuda") == "NVIDIA H200"
    assert device_here("cpu") == "cpu"
    code = "import sys; from assay.provenance import platforms as p; p.platform_here(p.device_here('auto'), 1, 'float32')"
    subprocess.run([sys.executable, "-c", f"{code}; sys.exit('torch' in sys.modules)"], check=True)


def test_packages_that_are_not_installed_have_no_version(monkeypatch):
    def version(name):
        if name == "timm":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(platforms.importlib.metadata, "version", version)
    assert "timm" not in versions()
    assert versions()["torch"] == "1"
    assert platform_here("cpu", 1, "float32")["timm"] == ""
