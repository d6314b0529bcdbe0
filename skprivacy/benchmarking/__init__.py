"""What ``skprivacy benchmark`` runs: private pipelines beside their non-private twins.

Classifiers, regressors and unsupervised models, beside private models of other packages.
Same rows, same splits, same public facts; see ``_pipelines`` for what is compared and
``_run`` for how.
"""

from ._builders import Setting
from ._csv import read_csv
from ._encoding import (
    FORMS,
    Facts,
    Rows,
    encode,
    encode_number,
    make_rows,
    norm_bound,
    public_encoder,
)
from ._ledger_table import format_ledger
from ._pipelines import PIPELINES, SETS, PipelineSpec, choose_pipelines
from ._problem import TASKS, BenchmarkError, Problem, make_problem, problem_from_bunch
from ._report import SummaryRow, format_markdown, format_table, summarise, write_files
from ._run import BenchmarkResult, FitResult, Options, run_benchmark
from ._scores import METRICS

__all__ = [
    "FORMS",
    "METRICS",
    "PIPELINES",
    "SETS",
    "TASKS",
    "BenchmarkError",
    "BenchmarkResult",
    "Facts",
    "FitResult",
    "Options",
    "PipelineSpec",
    "Problem",
    "Rows",
    "Setting",
    "SummaryRow",
    "choose_pipelines",
    "encode",
    "encode_number",
    "format_ledger",
    "format_markdown",
    "format_table",
    "make_problem",
    "make_rows",
    "norm_bound",
    "problem_from_bunch",
    "public_encoder",
    "read_csv",
    "run_benchmark",
    "summarise",
    "write_files",
]
