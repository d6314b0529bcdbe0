"""The command line: ``skprivacy benchmark`` and ``skprivacy ledger``.

Exit codes: 0, done; 1, something that should have run did not, or a ledger does not
verify; 2, the input or the arguments are wrong, which one line on standard error says.
"""

import argparse
import contextlib
import json
import math
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .exceptions import LedgerError

if TYPE_CHECKING:
    from .benchmarking import Problem
    from .ledger import PrivacyAccountant


EXAMPLES = """examples:
  skprivacy benchmark adult
  skprivacy benchmark adult --pipelines all --markdown
  skprivacy benchmark diabetes --pipelines private twins --epsilon 1 4
  skprivacy benchmark patients.csv --target relapse --repeats 10
  skprivacy benchmark adult --task unsupervised
"""


class UsageError(Exception):
    """The command can't do what it was asked; the message is for the user."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; None: those of the process.

    Returns
    -------
    int
        Exit code.
    """
    try:
        options = _parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return int(options.run(options))
    except UsageError as error:
        print(f"skprivacy: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skprivacy: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has left, as `head` does.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skprivacy", description="Private machine learning.")
    parser.add_argument("--version", action="version", version=f"skprivacy {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_benchmark(commands.add_parser("benchmark", help="private pipelines beside their twins"))
    _add_ledger(commands.add_parser("ledger", help="read a ledger file"))
    return parser


def _add_benchmark(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train private models and their non-private twins on the same splits and print their "
        "scores, times and what the ledger says they cost."
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument(
        "data", nargs="?", default="adult", metavar="DATASET|FILE.csv",
        help="a data set's name (see --list) or a CSV file; default: adult",
    )  # fmt: skip
    parser.add_argument("--target", metavar="COLUMN", help="column of the CSV file to predict")
    parser.add_argument(
        "--task", choices=("auto", "classification", "regression", "unsupervised"), default="auto",
        help="default: what the target is for; unsupervised: k-means, components and covariance "
        "of the columns of numbers",
    )  # fmt: skip
    parser.add_argument(
        "--epsilon", nargs="+", type=_positive, metavar="EPS", default=[0.1, 0.3, 1.0, 3.0, 8.0],
        help="budgets of one fit; default: 0.1 0.3 1 3 8",
    )  # fmt: skip
    parser.add_argument("--delta", type=_probability, default=1e-5, help="default: 1e-5")
    parser.add_argument("--repeats", type=_count, default=5, help="random splits; default: 5")
    parser.add_argument(
        "--pipelines", nargs="+", metavar="NAME", default=["default"],
        help="pipelines, or sets of them: default, all, private, twins, peers (see --list)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of splits and noise; default: 0")
    parser.add_argument("--jobs", type=int, default=1, help="processes; default: 1")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="default: benchmark-results/DATASET"
    )
    parser.add_argument("--markdown", action="store_true", help="print the scores as Markdown")
    parser.add_argument("--list", action="store_true", help="list data sets and pipelines")
    parser.set_defaults(run=_benchmark)


def _add_ledger(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="show|verify|export")
    show = actions.add_parser("show", help="print the entries, the ceiling and what was spent")
    show.add_argument("--all", action="store_true", help="one line for every entry")
    verify = actions.add_parser("verify", help="check the chain of entries")
    verify.add_argument("--head", help="head hash that was exported before")
    export = actions.add_parser("export", help="write the ledger as JSON")
    export.add_argument("--output", type=Path, help="file to write; default: standard output")
    for action, run in ((show, _show), (verify, _verify), (export, _export)):
        action.add_argument("path", type=Path, metavar="PATH", help="ledger file")
        action.set_defaults(run=run)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _probability(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value


def _benchmark(options: argparse.Namespace) -> int:
    from . import benchmarking
    from .datasets import list_datasets
    from .ledger import PrivacyAccountant

    if options.list:
        print("Data sets:", *(f"  {name}" for name in list_datasets()), sep="\n")
        for task in benchmarking.TASKS:
            specs = benchmarking.choose_pipelines(["all"], task)
            marked = (f"  {spec.name}{' (default)' * spec.by_default}" for spec in specs)
            print(f"Pipelines for {task}:", *marked, sep="\n")
        print("Sets:", *(f"  {name}: {what}" for name, what in benchmarking.SETS.items()), sep="\n")
        return 0
    names = tuple(dict.fromkeys(options.pipelines))
    try:
        problem = _load(options.data, options.target, options.task)
        benchmarking.choose_pipelines(names, problem.task)
        folder = options.output or Path("benchmark-results", Path(problem.name).stem)
        folder.mkdir(parents=True, exist_ok=True)
        # A ledger of its own for each run: a budget file is never started again.
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        ledger = PrivacyAccountant(
            epsilon=math.inf, delta=options.delta, path=folder / f"run-{stamp}.ledger"
        )
        result = benchmarking.run_benchmark(
            problem,
            benchmarking.Options(
                epsilons=tuple(sorted(set(options.epsilon))),
                delta=options.delta,
                repeats=options.repeats,
                pipelines=names,
                seed=options.seed,
                jobs=options.jobs,
            ),
            ledger,
        )
        written = benchmarking.write_files(result, folder, json.loads(ledger.to_json()))
    except (benchmarking.BenchmarkError, LedgerError, OSError) as error:
        raise UsageError(str(error)) from error
    shown = benchmarking.format_markdown if options.markdown else benchmarking.format_table
    print(shown(result))
    print("\nWritten:", ", ".join(str(path) for path in [*written, ledger.path]))
    if not any(path.suffix == ".png" for path in written):
        print("No figure: it needs matplotlib, pip install 'skprivacy[report]'.")
    print(f"\nLedger of this run, {ledger.path}:\n")
    print(benchmarking.format_ledger(ledger))
    return 1 if any(fit.pipeline.startswith("dp-") for fit in result.failures) else 0


def _load(data: str, target: str | None, task: str) -> "Problem":
    """Return the problem in a file or in a data set of the registry."""
    from . import benchmarking
    from .datasets import list_datasets, load_dataset

    if data in list_datasets():
        if target is not None:
            raise UsageError(f"--target is for CSV files; the target of {data} is known.")
        try:
            return benchmarking.problem_from_bunch(load_dataset(data), task)
        except ImportError as error:
            raise UsageError(str(error)) from error
    if not Path(data).exists():
        known = ", ".join(list_datasets())
        raise UsageError(f"{data} is neither a file nor a data set. Data sets: {known}.")
    if target is None and task != "unsupervised":
        raise UsageError(f"Name the column of {data} to predict: --target COLUMN.")
    return benchmarking.read_csv(data, target, task)


def _show(options: argparse.Namespace) -> int:
    from .benchmarking import format_ledger

    accountant = _open(options.path)
    print(format_ledger(accountant, every_entry=options.all))
    return 0


def _verify(options: argparse.Namespace) -> int:
    accountant = _open(options.path)
    try:
        head = accountant.verify(options.head)
    except LedgerError as error:
        print(f"{options.path} does not verify: {error}")
        return 1
    print(f"{options.path} verifies: {len(accountant.entries)} entries, head {head}")
    return 0


def _export(options: argparse.Namespace) -> int:
    text = _open(options.path).to_json()
    if options.output is None:
        print(text)
        return 0
    try:
        options.output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(str(error)) from error
    return 0


def _open(path: Path) -> "PrivacyAccountant":
    """Attach to a ledger file; never make one."""
    from .ledger import PrivacyAccountant

    try:
        return PrivacyAccountant.open(path)
    except LedgerError as error:
        raise UsageError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
