"""The audit of labelled pictures: what is broken, what is doubtful, and what is there twice."""

from dataclasses import dataclass
from pathlib import Path

from planimeter.labels.census import Census
from planimeter.labels.entries import Finding, Report
from planimeter.labels.formats import open_labels
from planimeter.labels.likeness import Likeness, Print, list_pairs, take_print

FEW_INSTANCES = 20
"""A class with fewer cannot be learnt, nor its error be told."""


@dataclass(frozen=True)
class Audit:
    """What was understood of a data set, and what was found in it."""

    census: Census
    findings: tuple[Finding, ...]
    """Broken things first."""

    @property
    def broken(self) -> bool:
        """Whether anything must be mended before the data can be used."""
        return any(finding.broken for finding in self.findings)


def audit(path: Path, images: Path | None = None, against: Path | None = None) -> Audit:
    """Check the labelled pictures at `path`; `against` is another part that must share no picture with them.

    Pictures are read one after the other. Raises `DataError` only where nothing at all can be understood.
    """
    report = Report(collect=True)
    census, prints = _walk(path, images, report)
    _report_few(path, census, report)
    _report_alike(path, prints, report)
    if against is not None:
        other_census, other_prints = _walk(against, None, Report(collect=True))
        _report_shared(path, prints, against, other_prints, report)
        for name in sorted(set(other_census.classes) - set(census.classes)):
            report.broken(against, f"has the class {name}, which {path} does not have")
    return Audit(census, tuple(sorted(report.findings, key=lambda finding: not finding.broken)))


def _walk(path: Path, images: Path | None, report: Report) -> tuple[Census, list[Print]]:
    labels = open_labels(path, images, report)
    census = Census(labels.format, labels.classes)
    prints = []
    for picture in labels.read(report):
        census.add(picture)
        prints.append(take_print(picture))
    return census, prints


def _report_few(path: Path, census: Census, report: Report) -> None:
    if not census.instances:
        report.broken(path, "has no object at all: there is nothing to learn")
    for name, sizes in census.sizes.items():
        if len(sizes) < FEW_INSTANCES:
            report.doubtful(
                path, f"has {len(sizes)} instances; label {FEW_INSTANCES} or more", f"class {name}"
            )


def _report_alike(path: Path, prints: list[Print], report: Report) -> None:
    for pair in list_pairs(prints, prints, earlier_only=True):
        report.doubtful(
            path,
            f"{_LIKENESS[pair.how]} picture {pair.partner.name}; training keeps both on one side",
            f"picture {pair.entry.name}",
        )


def _report_shared(
    path: Path, prints: list[Print], against: Path, others: list[Print], report: Report
) -> None:
    for pair in list_pairs(prints, others):
        where, there = f"picture {pair.entry.name}", f"picture {pair.partner.name} of {against}"
        if pair.how == "equal":
            report.broken(path, f"{_LIKENESS[pair.how]} {there}; keep it on one side", where)
        else:
            report.doubtful(path, f"{_LIKENESS[pair.how]} {there}", where)


_LIKENESS: dict[Likeness, str] = {
    "equal": "has the same pixels as",
    "alike": "looks nearly the same as",
    "turned": "looks, turned or mirrored, nearly the same as",
}
