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
from ._run import METRICS, BenchmarkResult, FitResult

COLUMNS = ("auc", "accuracy", "log_loss", "fit_seconds", "epsilon_spent")
TITLES = ("AUC", "accuracy", "log-loss", "fit, s", "epsilon spent")


@dataclass(frozen=True)
class SummaryRow:
    """A pipeline at one epsilon: means and standard deviations over the splits.

    The standard deviation is NaN for a single split, and `error` is that of the first fit
    that did not run.
    """

    estimator: str
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
        groups.setdefault((fit.epsilon, fit.estimator), []).append(fit)
    order = sorted(groups, key=lambda key: -1.0 if math.isinf(key[0]) else key[0])
    return [_summary_row(groups[key]) for key in order]


def _summary_row(fits: list[FitResult]) -> SummaryRow:
    ran = [fit for fit in fits if not fit.error]
    mean, sd = {}, {}
    for column in COLUMNS:
        values = np.array([getattr(fit, column) for fit in ran])
        mean[column] = float(values.mean()) if values.size else math.nan
        finite = values.size > 1 and np.isfinite(values).all()
        sd[column] = float(values.std(ddof=1)) if finite else math.nan
    return SummaryRow(
        estimator=fits[0].estimator,
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
    about, options = result.problem, result.options
    splits = "1 split" if options.repeats == 1 else f"{options.repeats} splits"
    head = (
        f"{about['name']}: {about['n_rows']} rows, {about['n_columns']} columns "
        f"({about['n_encoded']} encoded), {len(about['classes'])} classes; delta "
        f"{options.delta:g}, {splits}, seed {options.seed}"
    )
    lines = [head, ""]
    body = [["epsilon", "estimator", *TITLES]]
    for row in summarise(result):
        shown = "none" if math.isinf(row.epsilon) else f"{row.epsilon:g}"
        if row.n_fits:
            cells = [_cell(row.mean[column], row.sd[column], column) for column in COLUMNS]
            body.append([shown, row.estimator, *cells])
        else:
            body.append([shown, row.estimator, f"does not run here: {row.error}"])
    lines += align(body)
    lines.append("")
    for guarantee in dict.fromkeys(fit.guarantee for fit in result.fits if fit.guarantee):
        names = dict.fromkeys(fit.estimator for fit in result.fits if fit.guarantee == guarantee)
        lines.append(f"Guarantee of {', '.join(names)}: {guarantee}.")
    lines += [f"Not run: {name}, which {why}." for name, why in result.skipped.items()]
    lines += about["assumptions"]
    return "\n".join(lines)


def _cell(mean: float, sd: float, column: str) -> str:
    digits = {"fit_seconds": 2, "epsilon_spent": 3}.get(column, 4)
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
    names = [field.name for field in fields(FitResult)]
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
    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, metric, title in zip(figure.subplots(1, 3), METRICS, TITLES, strict=False):
        display = PrivacyUtilityDisplay.from_results(
            [(row.estimator, row.epsilon, row.mean[metric], row.sd[metric]) for row in rows],
            metric=title,
        )
        display.plot(ax=axes, legend=False)
        if metric == "log_loss":
            axes.set_yscale("log")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(f"{result.problem['name']}, delta = {result.options.delta:g}")
    figure.savefig(path, dpi=150)
    return path
