"""Trained networks that travel: what one machine trained, another reuses.

networks-<scale>.dvc    points to the folder networks-<scale>/, one archive a training job, kept by DVC on remotes
    <job>.tar           manifest.json and record.json (Snakemake's record of the job), then <recipe>/seed-0.json and .safetensors

Nothing in an archive is believed: names, kinds and checksums are compared with what the studies here ask for, and only networks
made with the present code are taken. Snakemake then finds its record and the results, and runs nothing.
"""

import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from snakemake.persistence import MetadataRecord

from assay.artifacts import folders
from assay.errors import ArtifactError, EvidenceError
from assay.language.configuration import results_folder
from assay.language.draws import current, made_under
from assay.language.inputs import shown
from assay.language.scales import load_scale
from assay.language.studies import load_studies
from assay.networks.jobs import code_of
from assay.networks.plan import Bundle, Plan
from assay.networks.store import NetworkStore, made_with
from assay.storage.files import read_json, write_atomic
from assay.storage.places import WORK
from assay.storage.receipts import networks_listed, receipt_of_job

RECORDS = WORK / ".snakemake" / "metadata"
LARGEST_TEXT = 10_000_000  # bytes of a manifest, record or sidecar


@dataclass
class Outcome:
    """Names of the training jobs whose networks were taken, were here already, or were made with other code or settings."""

    taken: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)


def push(scale: str, remote: str | None = None, studies: Iterable[str] | None = None) -> Outcome:
    """Pack the networks that are complete and made with the present code, track them with DVC, and send them to a remote.

    Of the result, `taken` was packed and `outdated` left out. Raises ArtifactError if there is nothing to pack.
    """
    folder = WORK / f"networks-{scale}"
    outcome = Outcome()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        for bundle in _jobs(scale, studies).values():
            whole = _is_here(bundle, scale)
            (outcome.taken if whole else outcome.outdated).append(bundle.name)
            if whole:
                _pack(bundle, scale, folder / f"{bundle.name}.tar")
        if not outcome.taken:
            where = f"{results_folder(scale)}/networks"
            raise ArtifactError(f"{where}: nothing complete and made with the present code; run snakemake first")
        folders.track(folder.name, WORK)
        folders.push(folder.name, remote, WORK)
    finally:
        shutil.rmtree(folder)
    return outcome


def pull(scale: str, remote: str | None = None, studies: Iterable[str] | None = None) -> Outcome:
    """Fetch archives of networks, and take those that the studies ask for, that are not here, and that fit the present code.

    Raises ArtifactError, before anything of an archive is written, if one holds something other than it should.
    """
    folder = WORK / f"networks-{scale}"
    jobs = _jobs(scale, studies)
    outcome = Outcome()
    try:
        folders.pull(folder.name, remote, root=WORK)
        found = [jobs[path.stem] for path in sorted(folder.glob("*.tar")) if path.stem in jobs]
        offers = [Offer(bundle, folder / f"{bundle.name}.tar") for bundle in found]
        for offer in sorted(offers, key=lambda offer: max(recipe.depth for recipe in offer.bundle.recipes)):
            kind = outcome.outdated if not offer.fits else outcome.present if _is_here(offer.bundle, scale) else outcome.taken
            if kind is outcome.taken:
                _take(offer, scale)
            kind.append(offer.bundle.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


class Offer:
    """The archive of one training job, every byte of it checked. ArtifactError if it holds anything but that job's networks."""

    def __init__(self, bundle: Bundle, path: Path):
        self.bundle, self.path = bundle, path
        self.weights = {f"{r.name}/seed-{seed}.safetensors": (r, seed) for r in bundle.recipes for seed in bundle.seeds}
        try:
            with tarfile.open(path, "r:") as archive:
                members = self._members(archive)
                self.manifest = self._text(archive, members, "manifest.json")
                self.record = self._text(archive, members, "record.json")
                self.sidecars = {name: self._text(archive, members, _beside(name)) for name in self.weights}
                sums = {name: _sha256(archive, members[name]) for name in self.weights}
        except (tarfile.TarError, OSError, EOFError) as error:
            raise self._refused(f"not a readable archive ({error})") from None
        self._check(sums)

    @property
    def fits(self) -> bool:
        """Whether all of it was made with the present code, on the draws of this process."""
        code = {recipe: code_of(recipe, len(self.bundle.seeds)) for recipe in self.bundle.recipes}
        return all(
            made_with(self.sidecars[name]) == code[recipe] and made_under(self.sidecars[name]) == current()
            for name, (recipe, _) in self.weights.items()
        )

    def write(self, store: NetworkStore) -> None:
        """Write weights, then the sidecars that make them count."""
        with tarfile.open(self.path, "r:") as archive:
            for name, (recipe, seed) in self.weights.items():
                with store.writing(recipe, seed):
                    temporary = store.weights(recipe, seed).with_suffix(".tmp")
                    with archive.extractfile(name) as source, open(temporary, "wb") as target:
                        shutil.copyfileobj(source, target)
                    os.replace(temporary, store.weights(recipe, seed))
                    write_atomic(store.sidecar(recipe, seed), json.dumps(self.sidecars[name], indent=1, sort_keys=True))

    def _members(self, archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
        members = archive.getmembers()
        expected = {"manifest.json", "record.json", *self.weights, *map(_beside, self.weights)}
        for member in members:
            if member.name not in expected:
                raise self._refused(f"holds '{member.name}', which is none of this job's files")
            if not member.isreg():
                raise self._refused(f"'{member.name}' is no regular file")
        found = {member.name: member for member in members}
        if len(found) != len(members) or found.keys() != expected:
            raise self._refused(f"holds {len(members)} files where {len(expected)} different ones are expected")
        return found

    def _text(self, archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> dict:
        if members[name].size > LARGEST_TEXT:
            raise self._refused(f"'{name}' has {members[name].size} bytes")
        try:
            content = json.loads(archive.extractfile(members[name]).read())
        except ValueError:
            raise self._refused(f"'{name}' is not JSON") from None
        if not isinstance(content, dict):
            raise self._refused(f"'{name}' is no JSON object")
        return content

    def _check(self, sums: dict[str, str]) -> None:
        listed: dict[str, dict[str, str]] = {}
        for name, (recipe, seed) in self.weights.items():
            sidecar = self.sidecars[name]
            if not recipe.is_met_by(sidecar.get("recipe")) or sidecar.get("seed") != seed:
                raise self._refused(f"'{_beside(name)}' claims another recipe or seed")
            if sidecar.get("sha256") != sums[name]:
                raise self._refused(f"'{name}' is not what its sidecar says (SHA-256)")
            if made_with(sidecar) is None:
                raise self._refused(f"'{_beside(name)}' does not say with what code it was made")
            listed.setdefault(recipe.name, {})[str(seed)] = sums[name]
        if self.manifest != {"networks": listed}:
            raise self._refused("'manifest.json' lists other networks")
        try:
            record = MetadataRecord.model_validate(self.record)
        except ValueError:
            record = None
        if record is None or self.record.keys() != MetadataRecord.model_fields.keys() or record.rule != "train":
            raise self._refused("'record.json' is no record of a training that this Snakemake writes")

    def _refused(self, reason: str) -> ArtifactError:
        return ArtifactError(f"{shown(self.path)}: {reason}; refused, nothing was written")


def _take(offer: Offer, scale: str) -> None:
    """Write networks, manifest and receipt as the training job would, then Snakemake's record that it ran."""
    manifest = _manifest(scale, offer.bundle)
    with receipt_of_job(WORK / results_folder(scale) / "logs" / "train" / f"{offer.bundle.name}.log") as receipt:
        offer.write(_store(scale))
        write_atomic(manifest, json.dumps(offer.manifest, indent=1, sort_keys=True))
        receipt.write([manifest, *networks_listed(manifest)])
    write_atomic(_record(scale, offer.bundle), json.dumps(offer.record))


def _pack(bundle: Bundle, scale: str, path: Path) -> None:
    """Write an archive; equal networks give equal bytes."""
    store, manifest = _store(scale), _manifest(scale, bundle)
    with tarfile.open(path, "w:") as archive:
        _add(archive, "manifest.json", manifest.read_bytes())
        _add(archive, "record.json", _record(scale, bundle).read_bytes())
        for file in networks_listed(manifest):
            member = tarfile.TarInfo(str(file.relative_to(store.folder)))
            member.size = file.stat().st_size
            with open(file, "rb") as content:
                archive.addfile(member, content)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _is_here(bundle: Bundle, scale: str) -> bool:
    """Whether Snakemake has nothing left to train of it."""
    return _is_whole(bundle, _store(scale)) and _record(scale, bundle).exists()


def _is_whole(bundle: Bundle, store: NetworkStore) -> bool:
    """Whether all networks of a job are here, unharmed and made with the present code, as its manifest lists them."""
    networks = {}
    for recipe in bundle.recipes:
        code = code_of(recipe, len(bundle.seeds))
        for seed in bundle.seeds:
            about = store.about(recipe, seed, code)
            networks.setdefault(recipe.name, {})[str(seed)] = about and about["sha256"]
    try:
        return read_json(store.folder / f"{bundle.name}.json") == {"networks": networks}
    except EvidenceError:
        return False


def _jobs(scale: str, studies: Iterable[str] | None) -> dict[str, Bundle]:
    """The training jobs that the studies need, as a run of all has them: which networks share a job depends on the whole."""
    everything = load_studies(scale)
    plan = Plan.at(load_scale(scale), everything.values())
    chosen = [everything[name] for name in (everything if studies is None else load_studies(scale, only=studies))]
    needed = (name for study in chosen for block in study.blocks for name in plan.needs(study.recipes, block))
    return {name: plan.bundles[name] for name in needed}


def _store(scale: str) -> NetworkStore:
    return NetworkStore(WORK / results_folder(scale) / "networks", torch.device("cpu"), load_scale(scale).precision)


def _manifest(scale: str, bundle: Bundle) -> Path:
    return WORK / results_folder(scale) / "networks" / f"{bundle.name}.json"


def _record(scale: str, bundle: Bundle) -> Path:
    """Where Snakemake keeps its record of a job's manifest: under the manifest's path, in base64."""
    output = str(_manifest(scale, bundle).relative_to(WORK))
    return RECORDS / base64.urlsafe_b64encode(output.encode()).decode()


def _beside(weights: str) -> str:
    return weights.removesuffix(".safetensors") + ".json"


def _sha256(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    return hashlib.file_digest(archive.extractfile(member), "sha256").hexdigest()
