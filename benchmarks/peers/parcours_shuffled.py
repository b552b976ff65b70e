"""Parcours with every period through both shuffles, as periods too large for one task take them on a cluster."""

from parcours.cli import main
from parcours.flatten import engine

if __name__ == "__main__":
    engine.WHOLE_BYTES = -1
    main()
