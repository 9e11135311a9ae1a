"""The findings of an audit, those that say the same of different files together."""

import re
from collections import defaultdict
from collections.abc import Sequence

_OWN = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d.,]*")
"""What is a file's own in a finding: its numbers and names."""


def by_kind(findings: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return the findings by what they say, the most frequent first: "3 points" and "5 points" are of one kind."""
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for finding in findings:
        kinds[_OWN.sub("…", finding.rpartition(": ")[2])].append(finding)
    return sorted(kinds.items(), key=lambda entry: -len(entry[1]))
