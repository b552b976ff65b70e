"""Publication: studies read only what the gate let through, in the state in which it was checked."""

import json
from datetime import UTC, datetime
from pathlib import Path

from parcours.errors import GateRefused, InputError
from parcours.storage.manifest import committed_periods, write_json
from parcours.storage.root import Root


def publish(root: Root, product: str, verdict_path: Path, periods: dict[str, str]) -> None:
    """Record that these periods, at these fingerprints, passed the gate; replaces what was recorded before."""
    content = {
        "product": product,
        "verdict": str(verdict_path),
        "periods": dict(sorted(periods.items())),
        "published": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_json(root.publication(product), content)


def published_periods(root: Root, product: str) -> dict[str, Path]:
    """Directories of the published periods of a product, by period.

    Raises InputError when the product was never flattened or published, GateRefused when a published
    period was replaced or removed since the gate looked at it.
    """
    committed = committed_periods(root, product)
    if not committed:
        raise InputError(f"{product} has not been flattened into {root.path}; run `parcours flatten` first.")
    path = root.publication(product)
    if not path.is_file():
        raise InputError(f"{product} has not passed the gate in {root.path}; run `parcours check` first.")
    published = json.loads(path.read_text("utf-8"))["periods"]
    changed = [p for p, fingerprint in published.items() if committed.get(p, {}).get("fingerprint") != fingerprint]
    if changed:
        raise GateRefused(
            f"{product}: {len(changed)} period(s), the first {changed[0]}, changed since the gate looked at them;"
            " run `parcours check` again."
        )
    return {period: root.period(product, period) for period in published}
