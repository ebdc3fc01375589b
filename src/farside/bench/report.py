"""A run as JSON, as Markdown and as tables in the terminal."""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Any
from farside.bench.figures import spread
from farside.bench.rows import ABSENT, FARSIDE, TITLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from farside.bench.budgets import Verdict
    from farside.bench.rows import Row

SCHEMA = 1


def number(value: float) -> str:
    """Return a figure with three significant digits, or all before the point."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}"


def headings(rows: Sequence[Row]) -> list[str]:
    """Return the columns of a table of these rows, in order; those in which nothing was measured
    only if there is a reason for each row that is not the same for all.
    """
    present = {key for row in rows for key in row.samples}
    reasons: dict[str, set[str]] = {}
    for row in rows:
        for key, reason in row.missing.items():
            reasons.setdefault(key, set()).add(reason)
    present.update(key for key, found in reasons.items() if found != {ABSENT})
    return [key for key in TITLES if key in present]


def measured(row: Row, key: str) -> list[str]:
    """Return what stands in a row's column: the median with quartiles, and times farside's."""
    if key in row.missing:
        return [row.missing[key]]
    samples = row.samples.get(key)
    if not samples:
        return [""]
    found = spread(samples)
    text = number(found.median)
    if found.rounds > 1:
        text += f" ({number(found.first)}–{number(found.third)})"
    ratio = row.ratio(key)
    if key == FARSIDE or ratio is None:
        return [text]
    times = f"{number(ratio.median)}×"
    if found.rounds > 1:
        times += f" [{number(ratio.low)}–{number(ratio.high)}]"
    return [text, times]


def table(title: str, rows: Sequence[Row]) -> Table:
    """Return rows as a table for the terminal."""
    from rich.table import Table
    from rich.text import Text

    found = Table(title=title, title_justify="left", show_lines=True)
    columns = headings(rows)
    found.add_column("")
    for key in columns:
        found.add_column(TITLES[key], justify="right")
    for row in rows:
        cells = [Text("\n".join(measured(row, key))) for key in columns]
        name = Text(f"{row.name}, {row.unit}")
        if row.note:
            name.append(f"\n{row.note}", style="dim")
        found.add_row(name, *cells)
    return found


def markdown(title: str, rows: Sequence[Row]) -> str:
    """Return rows as a table in Markdown, under a heading."""
    columns = headings(rows)
    lines = [
        f"## {title}",
        "",
        "| | " + " | ".join(TITLES[key] for key in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for row in rows:
        cells = ["<br>".join(measured(row, key)).replace("|", "\\|") for key in columns]
        name = f"{row.name}, {row.unit}" + (f"<br>{row.note}" if row.note else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


_BUDGET_COLUMNS = ("budget", "limit", "measured", "met")


def budget_table(verdicts: Sequence[Verdict]) -> Table:
    """Return the budgets as a table for the terminal."""
    from rich.table import Table

    found = Table(*_BUDGET_COLUMNS, title="Budgets", title_justify="left")
    for each in verdicts:
        style = {True: "green", False: "red", None: "dim"}[each.met]
        found.add_row(each.what, each.limit, each.measured, each.word, style=style)
    return found


def budget_markdown(verdicts: Sequence[Verdict]) -> str:
    """Return the budgets as a table in Markdown, under a heading."""
    lines = ["## Budgets", "", "| " + " | ".join(_BUDGET_COLUMNS) + " |", "|---|---|---|---|"]
    lines += [
        f"| {each.what} | {each.limit} | {each.measured} | {each.word} |" for each in verdicts
    ]
    return "\n".join(lines) + "\n"


def machine_lines(about: dict[str, Any]) -> Iterable[str]:
    """Yield sentences about where and with what a run was made."""
    machine = about["machine"]
    yield (
        f"{machine['processor']}, {machine['processors']} processors,"
        f" {machine['memory_bytes'] / 2**30:.0f} GiB; {machine['system']}, Linux"
        f" {machine['kernel']}; Python {machine['python']}."
    )
    yield f"farside {about['farside']}; " + "; ".join(about["versions"].values()) + "."
    for key, reason in about["missing"].items():
        yield f"{TITLES.get(key, key)}: {reason}."
    loads = about["loads"]
    if loads:
        yield (
            f"{about['started']}; load average {min(loads):.1f} to {max(loads):.1f};"
            f" {about['flags']}."
        )


EXPLANATION = (
    "Each figure is the median of interleaved repetitions with its quartiles; below it stands how"
    " many times farside's it is, the median of the quotients of each round, with its interval of"
    " 95 % where there are enough rounds."
)


def as_json(about: dict[str, Any], rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Any:
    """Return a run as what the module `json` can write."""
    return {
        "schema": SCHEMA,
        **about,
        "rows": [_row(row) for row in rows],
        "budgets": [
            {
                "what": each.what,
                "limit": each.limit,
                "measured": each.measured,
                "met": each.met,
                "sure": each.sure,
            }
            for each in verdicts
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for key in row.columns():
        if key in row.missing:
            columns[key] = {"missing": row.missing[key]}
            continue
        found = spread(row.samples[key])
        columns[key] = {"samples": row.samples[key], **found._asdict()}
        ratio = row.ratio(key)
        if ratio is not None and key != FARSIDE:
            columns[key]["times_farside"] = ratio._asdict()
    return {
        "group": row.group,
        "name": row.name,
        "unit": row.unit,
        "note": row.note,
        "load": row.load,
        "columns": columns,
    }
