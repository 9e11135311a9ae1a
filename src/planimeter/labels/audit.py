"""The audit of labelled pictures: what is broken, what is doubtful, and what is there twice."""

from dataclasses import dataclass
from pathlib import Path

from planimeter.labels.census import Census
from planimeter.labels.entries import Finding, Report
from planimeter.labels.formats import open_labels
from planimeter.labels.likeness import Likeness, Pair, Print, list_pairs, take_print

FEW_INSTANCES = 20
"""A class with fewer cannot be learnt, nor its error be told."""
SHOWN_COPIES = 8
"""Of a group of copies, as many are named."""


@dataclass(frozen=True)
class Audit:
    """What was understood of a data set, and what was found in it."""

    census: Census
    findings: tuple[Finding, ...]
    """Broken things first; those of both parts, where two were compared."""
    other: Census | None = None
    """What was understood of the other part."""

    @property
    def broken(self) -> bool:
        """Whether anything must be mended before the data can be used."""
        return any(finding.broken for finding in self.findings)


def audit(
    path: Path, images: Path | None = None, against: Path | None = None, against_images: Path | None = None
) -> Audit:
    """Check the labelled pictures at `path`; `against` is another part that must share no picture with them.

    `images` and `against_images` are the folders of the pictures, where the labels do not lead to them. Pictures
    are read one after the other. Raises `DataError` only where nothing at all can be understood.
    """
    report = Report(collect=True)
    census, prints = _walk(path, images, report)
    _report_few(path, census, report)
    _report_alike(path, prints, report)
    other = None
    if against is not None:
        other, other_prints = _walk(against, against_images, report)
        _report_shared(path, prints, against, other_prints, report)
        for name in sorted(set(other.classes) - set(census.classes)):
            report.broken(against, f"has the class {name}, which {path} does not have")
    return Audit(census, tuple(sorted(report.findings, key=lambda finding: not finding.broken)), other)


def _walk(path: Path, images: Path | None, report: Report) -> tuple[Census, list[Print]]:
    labels = open_labels(path, images, report)
    census = Census(labels.format, labels.classes)
    prints = []
    for picture in labels.read(report):
        census.add(picture)
        prints.append(take_print(picture))
    if not prints:
        report.broken(
            path, f"no picture could be read, {len(labels.pictures)} are listed: nothing was checked"
        )
    return census, prints


def _report_few(path: Path, census: Census, report: Report) -> None:
    if not census.pictures:
        return  # which is told already
    if not census.instances:
        report.broken(path, "has no object at all: there is nothing to learn")
    for name, sizes in census.sizes.items():
        if len(sizes) < FEW_INSTANCES:
            report.doubtful(
                path, f"has {len(sizes)} instances; label {FEW_INSTANCES} or more", f"class {name}"
            )


def _report_alike(path: Path, prints: list[Print], report: Report) -> None:
    """Name each group of copies once, however many there are."""
    pairs = list_pairs(prints, prints, earlier_only=True)
    leader: dict[str, str] = {}
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:  # a partner stands before its picture, so that its group is known
        first = leader.setdefault(pair.partner.name, pair.partner.name)
        leader[pair.entry.name] = first
        groups.setdefault(first, []).append(pair)
    for first, members in groups.items():
        if len(members) == 1:
            where, message = (
                f"picture {members[0].entry.name}",
                f"{_LIKENESS[members[0].how]} picture {first}",
            )
        else:
            where, message = f"picture {first}", f"has {len(members)} copies: {_listed(members)}"
        report.doubtful(path, f"{message}; training keeps them on one side", where)


def _report_shared(
    path: Path, prints: list[Print], against: Path, others: list[Print], report: Report
) -> None:
    """Name each picture of the other part once, with all that are like it here."""
    groups: dict[tuple[str, bool], list[Pair]] = {}
    for pair in list_pairs(prints, others):
        groups.setdefault((pair.partner.name, pair.how == "equal"), []).append(pair)
    for (name, equal), members in groups.items():
        if len(members) == 1:
            where, message = f"picture {members[0].entry.name}", _LIKENESS[members[0].how]
        else:
            where, message = f"{len(members)} pictures", f"{_listed(members)}: each a copy of"
        message = f"{message} picture {name} of {against}"
        if equal:
            report.broken(path, f"{message}; keep it on one side", where)
        else:
            report.doubtful(path, message, where)


def _listed(members: list[Pair]) -> str:
    """Return the first names of a group, and how each is like the others."""
    shown = [f"{pair.entry.name} ({_BRIEFLY[pair.how]})" for pair in members[:SHOWN_COPIES]]
    more = len(members) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


_LIKENESS: dict[Likeness, str] = {
    "equal": "has the same pixels as",
    "alike": "looks nearly the same as",
    "turned": "looks, turned or mirrored, nearly the same as",
}
_BRIEFLY: dict[Likeness, str] = {"equal": "same pixels", "alike": "nearly", "turned": "turned or mirrored"}
