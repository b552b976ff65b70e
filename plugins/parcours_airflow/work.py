"""What a job would do, as a fingerprint: the same code, arguments and inputs give the same text, cheaply."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parcours.storage.addresses import Stamp, stamps
from parcours.storage.fingerprint import checksum, code_version, fingerprint
from parcours_airflow.defaults import SPARK_JOBS

# What a job (or a stage of it) reads and leaves: an option that names a folder or a file in it, and the files there.
# Manifests stand for the data beside them.
Files = tuple[tuple[str, str], ...]
FLAT: Files = (("--root", "flat/*/*/_MANIFEST.json"), ("--root", "identity/_MANIFEST.json"))
RUN: Files = (("--run", "run.json"),)
READS: dict[str, Files] = {
    "scan": (("--delivery", "**/*"),),
    "flatten": (("--delivery", "**/*"),),
    "quality": (*FLAT, *RUN),
    "featuring": RUN,
    "inference": RUN,
    "inference approve": (*RUN, ("--run", "sign_off.json")),
}
LEAVES: dict[str, Files] = {
    "scan": (("--root", "_scans/*.json"),),
    "flatten": FLAT,
    "quality": (("--root", "published/*.json"), ("--run", "quality/*.json")),
    "featuring events": (("--run", "../../../events/*/*/_MANIFEST.json"),),
    "featuring cohort": (("--run", "cohort/_MANIFEST.json"),),
    "featuring features": (("--run", "features/_MANIFEST.json"),),
    "inference train": (("--run", "model/_MANIFEST.json"),),
    "inference report": (("--run", "report/_MANIFEST.json"),),
    "inference approve": (("--run", "sign_off.json"),),
}


@dataclass(frozen=True)
class Work:
    """A job of spark_jobs and its arguments."""

    job: str
    name: str
    arguments: tuple[str, ...]

    def fingerprint(self) -> str:
        """16 hex digits of the code, the arguments and the state of the inputs. Raises OSError."""
        source = SPARK_JOBS / f"{self.job}.py"
        code = [code_version(), checksum(source) if source.is_file() else ""]
        return fingerprint([code, self.job, self.arguments, self._stamps(READS)])

    def outputs(self) -> str:
        """16 hex digits of the state of what the job leaves: taken after it, it tells whether that is still there."""
        return fingerprint(self._stamps(LEAVES))

    def _stamps(self, table: Mapping[str, Files]) -> list[tuple[str, list[Stamp]]]:
        options = _options(self.arguments)
        stage = f"{self.job} {options.get('--stage', '')}".strip()
        files = table.get(stage, table.get(self.job, ()))
        return [(pattern, stamps(options[option], pattern)) for option, pattern in files if option in options]


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """The values of the options; of a repeated one, the last."""
    return {option: value for option, value in itertools.pairwise(arguments) if option.startswith("--")}
