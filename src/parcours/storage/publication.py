"""Publication: studies read only what the gate let through, in the state in which it was checked."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from parcours.errors import GateRefused, InputError
from parcours.storage.manifest import committed_periods, write_json
from parcours.storage.place import Place
from parcours.storage.root import Root


def publish(root: Root, product: str, verdict_path: Place, periods: dict[str, str]) -> None:
    """Record that these periods, at these fingerprints, passed the gate; replaces what was recorded before."""
    content = {
        "product": product,
        "verdict": str(verdict_path),
        "periods": dict(sorted(periods.items())),
        "published": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_json(root.publication(product), content)


def published_fingerprints(root: Root, product: str) -> dict[str, str] | None:
    """The fingerprint of each period of a product that the gate let through; None when it let nothing through."""
    path = root.publication(product)
    if not path.is_file():
        return None
    periods: dict[str, str] = json.loads(path.read_text("utf-8"))["periods"]
    return periods


def changed_periods(used: Mapping[str, str], committed: Mapping[str, str]) -> list[str]:
    """Periods of which what was built on them used another state than the one that is there now."""
    return [period for period, fingerprint in used.items() if committed.get(period) != fingerprint]


def published_periods(root: Root, product: str) -> dict[str, Place]:
    """Directories of the published periods of a product, by period.

    Raises InputError when the product was never flattened or published, GateRefused when a published
    period was replaced or removed since the gate looked at it.
    """
    committed = committed_periods(root, product)
    if not committed:
        raise InputError(f"{product} has not been flattened into {root.path}; run `parcours flatten` first.")
    published = published_fingerprints(root, product)
    if published is None:
        raise InputError(f"{product} has not passed the gate in {root.path}; run `parcours check` first.")
    changed = changed_periods(published, {period: manifest["fingerprint"] for period, manifest in committed.items()})
    if changed:
        raise GateRefused(
            f"{product}: {len(changed)} period(s), the first {changed[0]}, changed since the gate looked at them;"
            " run `parcours check` again."
        )
    return {period: root.period(product, period) for period in published}
