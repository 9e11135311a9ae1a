"""Ask the database of known vulnerabilities about all that CI installs: `make audit`.

It fails where something is known. What could not be asked is told, and never called free of faults: without a network
pip-audit itself answers that nothing is known.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK_FILE = Path(__file__).parents[1] / "requirements-ci.txt"


def verdict(report: dict[str, Any]) -> tuple[int, list[str]]:
    """Return the exit status for a report of pip-audit, and what to say."""
    entries = report["dependencies"]
    unasked = sorted(entry["name"] for entry in entries if "skip_reason" in entry)
    lines = [
        f"{entry['name']} {entry['version']}: {found['id']}; "
        f"mended in {', '.join(found['fix_versions']) or 'no version yet'}"
        for entry in entries
        for found in entry.get("vulns", ())
    ]
    status = 1 if lines else 0
    asked = len(entries) - len(unasked)
    if not asked:
        lines.append("NOT AUDITED: the database of vulnerabilities is out of reach here.")
    else:
        lines.append(f"{asked} packages audited, {len(lines)} findings.")
        if unasked:
            lines.append(f"NOT AUDITED, unknown to the database: {', '.join(unasked)}")
    return status, lines


def main() -> int:
    """Run pip-audit on the lock file and say what it found."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(LOCK_FILE), "--require-hashes"),
            *("--disable-pip", "--progress-spinner", "off", "--format", "json", "--timeout", "15"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report = json.loads(ran.stdout)
    except ValueError:
        if "ConnectionError" not in ran.stderr and "Timeout" not in ran.stderr:
            sys.stderr.write(ran.stderr)
            return 2
        report = {"dependencies": []}
    status, lines = verdict(report)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
