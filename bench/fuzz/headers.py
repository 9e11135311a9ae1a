"""Look for a file that the reading of headers cannot bear: `make fuzz-headers`, guided by which lines were reached.

Headers are read in the service itself, before a decoder sees the file: nothing could end that. Whatever the bytes, it
must give a size or one of Planimeter's own errors, within two seconds and 512 MB. What it finds
is written to `crash-…` or `timeout-…` beside the seeds.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

from seeds import seeds


def main() -> int:
    """Look for so many seconds; atheris ends the process with another status where it finds something."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument(
        "--kept", type=Path, default=Path("dist/fuzz-headers"), help="the corpus, and what was found"
    )
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("NOT TRIED: atheris is not installed (the extra fuzz; Linux).\n")
        return 0
    import atheris  # noqa: PLC0415  an extra

    with atheris.instrument_imports(include=["planimeter.pictures"]):
        from planimeter.errors import PlanimeterError  # noqa: PLC0415
        from planimeter.pictures.decode import read_size  # noqa: PLC0415

    def read(data: bytes) -> None:
        try:
            header = read_size(data)
        except PlanimeterError:
            return
        if min(header.width, header.height) < 0:
            raise ValueError(f"{header.format} of {header.width} x {header.height}")

    given.kept.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds().values()):
        (given.kept / f"seed-{number:02}").write_bytes(data)
    limits = [
        f"-max_total_time={given.seconds}",
        "-timeout=2",
        "-rss_limit_mb=512",
        "-verbosity=0",
        "-seed=1",
    ]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={given.kept}/", str(given.kept)], read)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
