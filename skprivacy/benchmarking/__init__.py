"""What ``skprivacy benchmark`` runs: private pipelines beside their non-private twins.

Same rows, same splits, same public facts; see ``_pipelines`` for what is compared and
``_run`` for how.
"""

from ._csv import read_csv
from ._encoding import encode, encode_number, norm_bound, public_encoder
from ._ledger_table import format_ledger
from ._pipelines import PIPELINES, PipelineSpec, Setting
from ._problem import BenchmarkError, Problem, make_problem, problem_from_bunch
from ._report import SummaryRow, format_table, summarise, write_files
from ._run import BenchmarkResult, FitResult, Options, run_benchmark

__all__ = [
    "PIPELINES",
    "BenchmarkError",
    "BenchmarkResult",
    "FitResult",
    "Options",
    "PipelineSpec",
    "Problem",
    "Setting",
    "SummaryRow",
    "encode",
    "encode_number",
    "format_ledger",
    "format_table",
    "make_problem",
    "norm_bound",
    "problem_from_bunch",
    "public_encoder",
    "read_csv",
    "run_benchmark",
    "summarise",
    "write_files",
]
