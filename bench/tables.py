"""The tables of each part of the results."""

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table


def open_console() -> Console:
    """Return where tables are printed; in a file they are as wide as they want."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def print_part(console: Console, name: str, figures: dict[str, Any]) -> None:
    """Print the tables of a part."""
    for table in TABLES[name](figures):
        console.print(table)


def _footprint(figures: dict[str, Any]) -> list[Table]:
    table = _table("One small model", "", "")
    table.add_row("ready after start", f"{figures['ready_seconds']:.2f} s")
    table.add_row("processor until then", f"{figures['ready_processor_seconds']:.2f} s")
    table.add_row("import planimeter", f"{figures['import_seconds']:.3f} s")
    table.add_row("processor of that", f"{figures['import_processor_seconds']:.3f} s")
    memory = figures["memory"]
    if isinstance(memory, str):
        table.add_row("memory", memory)
        return [table]
    for when, found in memory.items():
        table.add_row(f"memory, {when}", f"{found['rss_mib']:.0f} MiB RSS, {found['pss_mib']:.0f} PSS")
    return [table]


def _load(figures: dict[str, Any]) -> list[Table]:
    tables = []
    for name, found in figures.items():
        rates = ", ".join(
            f"{rate:.1f} a second with {streams} stream{'s' * (streams != '1')}"
            for streams, rate in found["network_pictures_a_second"].items()
        )
        network = found["network_ms"]
        title = f"{name}, {found['instances']} instances; network alone: {network['p50']:.1f} ms, {rates}"
        table = _table(title, "clients", "p50, ms", "p95", "p99", "pictures/s", "clients' share of the cores")
        for kind, words in (("clients", ""), ("clients_with_drawn_picture", ", drawn picture too")):
            for clients, run in found[kind].items():
                values = [f"{run[what]:,.1f}" for what in ("p50", "p95", "p99", "pictures_a_second")]
                table.add_row(f"{clients}{words}", *values, f"{100 * run['client_share']:.1f} %")
        steps = ", ".join(f"{step} {value:.1f}" for step, value in found["steps_ms"].items())
        table.caption = (
            f"POST / network {found['post_over_network']:.2f}; 8 clients / best of the network "
            f"{found['throughput_over_network']:.2f}\nby the service's clock, ms: {steps}\n"
            f"{_arithmetic(found['arithmetic'])}"
        )
        tables.append(table)
    return tables


def _arithmetic(found: dict[str, float] | None) -> str:
    if found is None:
        return "NOT COUNTED: the network's arithmetic; make train-extra brings PyTorch, which counts it."
    return (
        f"the network: {found['gflop']:.2f} GFLOP, {found['achieved_gflops']:.0f} GFLOP a second, "
        f"{found['achieved_over_peak']:.2f} of this machine's peak of {found['peak_gflops']:.0f}"
    )


def _stages(figures: dict[str, Any]) -> list[Table]:
    table = _table("Stages, ms", "", *(f"{found['instances']} instances" for found in figures.values()))
    for stage in next(iter(figures.values()))["stages"]:
        table.add_row(stage, *(f"{found['stages'][stage]:.1f}" for found in figures.values()))
    table.add_row(
        "[bold]all but the network", *(f"[bold]{found['others']:.1f}" for found in figures.values())
    )
    return [table]


def _large(figures: dict[str, Any]) -> list[Table]:
    table = _table("Large JPEGs", "", *(f"{size} megapixels" for size in figures))
    rows = {
        "instances": "instances",
        "post_ms": "POST, ms",
        "network_ms": "the network",
        "all_but_network_ms": "all but the network",
        "decode_ms": "a bare decode",
        "others_over_decode": "all but the network / a bare decode",
        "memory_mib": "memory beside the idle service, MiB",
        "memory_over_pixels": "memory / decoded picture",
        "peak_mib": "the whole service at its most, MiB",
    }
    for figure, words in rows.items():
        table.add_row(words, *(_number(found.get(figure)) for found in figures.values()))
    return [table]


def _folder(figures: dict[str, Any]) -> list[Table]:
    table = _table(
        f"planimeter measure, a folder of {figures['pictures']:,} pictures", "", "pictures/s", "/ network"
    )
    table.add_row(
        "the whole command", f"{figures['pictures_a_second']:.1f}", f"{figures['over_network']:.2f}"
    )
    table.add_row(
        "without its start",
        f"{figures['pictures_a_second_without_start']:.1f}",
        f"{figures['over_network_without_start']:.2f}",
    )
    for streams, rate in figures["network_pictures_a_second"].items():
        table.add_row(f"network alone, {streams} stream{'s' * (streams != '1')}", f"{rate:.1f}", "")
    return [table]


def _history(figures: dict[str, Any]) -> list[Table]:
    columns = (f"{int(number):,}" for number in figures)
    table = _table("History, p95 by number of records, ms", "request", *columns)
    for request in next(iter(figures.values()))["requests"]:
        table.add_row(request, *(f"{found['requests'][request]['p95']:,.1f}" for found in figures.values()))
    table.add_row(
        "[bold]lists and trends", *(f"[bold]{found['lists_p95']:,.1f}" for found in figures.values())
    )
    return [table]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


TABLES: dict[str, Callable[[dict[str, Any]], list[Table]]] = {
    "footprint": _footprint,
    "load": _load,
    "stages": _stages,
    "large": _large,
    "folder": _folder,
    "history": _history,
}
