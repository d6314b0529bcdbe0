"""What a benchmark run leaves behind: a table to read, files to keep, a figure.

The table has one line for a pipeline at one epsilon, means with standard deviations over
the splits. ``fits.csv`` has one line for a fit; ``results.json`` has all of it with the
versions, seeds and assumptions; the figure needs the ``report`` extra.
"""

import csv
import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..inspection import PrivacyUtilityDisplay
from ._run import BenchmarkResult, FitResult
from ._scores import METRICS

LOG_SCALE = {"log_loss", "covariance_error"}
PRICES = {"fit_seconds": "fit, s", "epsilon_spent": "epsilon spent"}


@dataclass(frozen=True)
class SummaryRow:
    """A pipeline at one epsilon: means and standard deviations over the splits.

    Scores that the pipeline does not have are NaN, and so is the standard deviation for a
    single split; `error` is that of the first fit
    that did not run.
    """

    pipeline: str
    guarantee: str
    epsilon: float
    n_fits: int
    mean: dict[str, float]
    sd: dict[str, float]
    error: str


def summarise(result: BenchmarkResult) -> list[SummaryRow]:
    """Return one row for each pipeline and epsilon.

    Parameters
    ----------
    result : BenchmarkResult
        A finished run.

    Returns
    -------
    list of SummaryRow
        Non-private pipelines first, then by epsilon.
    """
    groups: dict[tuple[float, str], list[FitResult]] = {}
    for fit in result.fits:
        groups.setdefault((fit.epsilon, fit.pipeline), []).append(fit)
    order = sorted(groups, key=lambda key: -1.0 if math.isinf(key[0]) else key[0])
    columns = [*METRICS[result.problem["task"]], *PRICES]
    return [_summary_row(groups[key], columns) for key in order]


def _summary_row(fits: list[FitResult], columns: list[str]) -> SummaryRow:
    ran = [fit for fit in fits if not fit.error]
    mean, sd = {}, {}
    for column in columns:
        values = np.array([getattr(fit, column) for fit in ran])
        mean[column] = float(values.mean()) if values.size else math.nan
        finite = values.size > 1 and np.isfinite(values).all()
        sd[column] = float(values.std(ddof=1)) if finite else math.nan
    return SummaryRow(
        pipeline=fits[0].pipeline,
        guarantee=fits[0].guarantee,
        epsilon=fits[0].epsilon,
        n_fits=len(ran),
        mean=mean,
        sd=sd,
        error=next((fit.error for fit in fits if fit.error), ""),
    )


def format_table(result: BenchmarkResult) -> str:
    """Return the table of a run as text.

    Parameters
    ----------
    result : BenchmarkResult
        A finished run.
    """
    titles = METRICS[result.problem["task"]] | PRICES
    lines = [_head(result), ""]
    body = [["epsilon", "pipeline", *titles.values()]]
    for row in summarise(result):
        shown = "none" if math.isinf(row.epsilon) else f"{row.epsilon:g}"
        if row.n_fits:
            cells = [_cell(row.mean[column], row.sd[column], column) for column in titles]
            body.append([shown, row.pipeline, *cells])
        else:
            body.append([shown, row.pipeline, f"does not run here: {row.error}"])
    return "\n".join([*lines, *align(body), "", *_notes(result)])


def format_markdown(result: BenchmarkResult) -> str:
    """Return the scores of a run as tables in Markdown: one a score, epsilons side by side.

    Parameters
    ----------
    result : BenchmarkResult
        A finished run.
    """
    rows = {(row.pipeline, row.epsilon): row for row in summarise(result)}
    names = list(dict.fromkeys(row.pipeline for row in rows.values()))
    epsilons = sorted({row.epsilon for row in rows.values()} | {math.inf})
    lines = [_head(result)]
    for metric, title in METRICS[result.problem["task"]].items():
        shown = [f"{e:g}" for e in epsilons[:-1]]
        lines += ["", f"| {' | '.join([title, *shown, 'not private'])} |"]
        lines.append("|---" * (len(epsilons) + 1) + "|")
        for name in names:
            found = [rows.get((name, epsilon)) for epsilon in epsilons]
            cells = [_cell(r.mean[metric], r.sd[metric], metric) if r else "" for r in found]
            if any(cell not in {"", "-"} for cell in cells):
                lines.append(f"| {' | '.join([f'`{name}`', *cells])} |")
    known = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    return "\n".join(
        [*lines, "", *(f"- {note}" for note in _notes(result)), f"- Made with {known}."]
    )


def _head(result: BenchmarkResult) -> str:
    about, options = result.problem, result.options
    splits = "1 split" if options.repeats == 1 else f"{options.repeats} splits"
    what = f"{len(about['classes'])} classes" if about["classes"] else about["task"]
    return (
        f"{about['name']}: {about['n_rows']} rows, {about['n_columns']} columns "
        f"({about['n_encoded']} encoded), {what}; delta "
        f"{options.delta:g}, {splits}, seed {options.seed}"
    )


def _notes(result: BenchmarkResult) -> list[str]:
    lines = []
    for guarantee in dict.fromkeys(fit.guarantee for fit in result.fits if fit.guarantee):
        names = dict.fromkeys(fit.pipeline for fit in result.fits if fit.guarantee == guarantee)
        lines.append(f"Guarantee of {', '.join(names)}: {guarantee}.")
    lines += [f"Not run: {name}, which {why}." for name, why in result.skipped.items()]
    return [*lines, *result.problem["assumptions"]]


def _cell(mean: float, sd: float, column: str) -> str:
    digits = {"fit_seconds": 2, "epsilon_spent": 3}.get(column, 4)
    if math.isnan(mean):
        return "-"
    if math.isinf(mean):
        return "none"
    return f"{mean:.{digits}f}" if math.isnan(sd) else f"{mean:.{digits}f} ±{sd:.{digits}f}"


def align(rows: list[list[str]]) -> list[str]:
    """Return rows of cells as lines in columns, the first row underlined.

    Parameters
    ----------
    rows : list of list of str
        Cells; a row may be shorter than the first, its last cell then runs on.
    """
    full = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(len(row[j]) for row in full) for j in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=False)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return [line.rstrip() for line in lines]


def write_files(result: BenchmarkResult, folder: Path, ledger: dict[str, Any]) -> list[Path]:
    """Write the CSV and JSON files and, where matplotlib is installed, the figure.

    Parameters
    ----------
    result : BenchmarkResult
        A finished run.
    folder : Path
        Where to; it exists.
    ledger : dict
        The run's ledger as plain data, for the JSON file.

    Returns
    -------
    list of Path
        The files written. The figure is missing from it if matplotlib is.
    """
    written = [folder / "fits.csv", folder / "results.json"]
    task = result.problem["task"]
    others = {name for kind in METRICS if kind != task for name in METRICS[kind]}
    names = [field.name for field in fields(FitResult) if field.name not in others]
    with written[0].open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["dataset", "delta", *names])
        writer.writeheader()
        for fit in result.fits:
            row = {name: getattr(fit, name) for name in names} | {
                "warnings": "; ".join(fit.warnings)
            }
            writer.writerow(
                {"dataset": result.problem["name"], "delta": result.options.delta} | row
            )
    summary = [row.__dict__ for row in summarise(result)]
    document = result.to_dict() | {"summary": summary, "ledger": ledger}
    written[1].write_text(json.dumps(_json_ready(document), indent=1) + "\n", encoding="utf-8")
    figure = _write_figure(result, folder / "privacy-utility.png")
    return written if figure is None else [*written, figure]


def _csv_cell(value: Any) -> Any:
    return "; ".join(value) if isinstance(value, tuple) else value


def _json_ready(value: Any) -> Any:
    """Return plain data with infinities and NaN, which JSON lacks, as text and null."""
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _write_figure(result: BenchmarkResult, path: Path) -> Path | None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    rows = [row for row in summarise(result) if row.n_fits]
    metrics = METRICS[result.problem["task"]]
    figure = Figure(figsize=(4 * max(len(metrics), 2), 5), layout="constrained")
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    labels: dict[str, Any] = {}
    for axes, (metric, title) in zip(panels, metrics.items(), strict=True):
        points = [(r.pipeline, r.epsilon, r.mean[metric], r.sd[metric]) for r in rows]
        points = [point for point in points if not math.isnan(point[2])]
        if not points:
            axes.set_axis_off()
            continue
        display = PrivacyUtilityDisplay.from_results(points, metric=title)
        display.plot(ax=axes, legend=False)
        if metric in LOG_SCALE:
            axes.set_yscale("log")
        handles, names = axes.get_legend_handles_labels()
        labels |= dict(zip(names, handles, strict=True))
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=3)
    figure.suptitle(f"{result.problem['name']}, delta = {result.options.delta:g}")
    figure.savefig(path, dpi=150)
    return path
