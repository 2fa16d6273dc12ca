"""Where runs are read from: one function for each tool, whose module is imported when it is called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    import pandas as pd

    from harness.runs.points import Run

Places = str | PathLike[str] | Sequence[str | PathLike[str]]
Names = str | Sequence[str]


class Readers:
    """Constructors of :class:`harness.runs.Runs`, one for each tool."""

    @classmethod
    def from_csv(
        cls, paths: Places, *, run: Names | None = None, config: Names = (), step: str | None = None,
        metrics: Names | None = None, metric: str | None = None, value: str | None = None, status: str | None = None,
        finished: Names = "finished", not_logged: Names = "", delimiter: str = ",",
    ) -> Self:  # fmt: skip
        """Runs of CSV files with one row per run, per run and step, or per run, step and metric.

        An empty cell was not logged, ``nan`` was logged as NaN, ``inf`` and ``-inf`` as infinite; pandas writes NaN as an empty
        cell, unless it is told ``to_csv(…, na_rep="nan")``.  Config columns become
        numbers or booleans where every cell is one (007 stays text), numbers are read exactly.

        Args:
            paths: a file, a pattern such as "runs/*.csv", or several files.
            run: column or columns that tell runs apart; None where each file is one run, which its name then names.
            config: columns with what a run was run with, the same in all of its rows; those of ``run`` count as well.
            step: column of the step; None where there is none.
            metrics: columns of what was logged; None for all others.
            metric: column with the name of what was logged, where each row has one value (in the column ``value``).
            value: see ``metric``.
            status: column that says whether the run came to its end; None where nothing does.
            finished: what it then holds.
            not_logged: texts that stand for a value that was not logged.
            delimiter: between the cells of a line.

        Raises:
            ClaimError: a file is not there or is no such table; the message names line and column.
        """
        from harness.runs.csv_files import read

        columns, source = read(paths, delimiter, with_file=run is None)
        return cls._from_table(
            columns, source, run or "file", config, step, metrics, metric, value, status, finished, not_logged
        )

    @classmethod
    def from_dataframe(
        cls, table: pd.DataFrame, *, run: Names, config: Names = (), step: str | None = None, metrics: Names | None = None,
        metric: str | None = None, value: str | None = None, status: str | None = None, finished: Names = "finished",
        nan: Literal["logged", "not logged"] | None = None, source: str = "a table",
    ) -> Self:  # fmt: skip
        """Runs of a pandas table with one row per run, per run and step, or per run, step and metric.

        Args:
            table: the table; its index does not count.
            run: see :meth:`from_csv`, as are config, step, metrics, metric, value, status and finished.
            config: what a run was run with.
            step: column of the step.
            metrics: columns of what was logged.
            metric: column with the name of what was logged.
            value: column with its value.
            status: column that says whether a run came to its end.
            finished: what it then holds.
            nan: what a NaN in a column of plain floats is, where pandas keeps no missing value apart: "logged" as NaN or "not
                logged"; None to refuse it.  Missing values of other types (None, pd.NA) were not logged.
            source: what the card calls it.
        """
        from harness.runs.dataframe import read

        columns = read(
            table, [*_names(metrics), *_names(value)] or None, [*_names(run), *_names(config), step, metric, status], nan
        )
        return cls._from_table(columns, source, run, config, step, metrics, metric, value, status, finished, ())

    @classmethod
    def from_wandb(cls, paths: Places, *, step: str = "_step") -> Self:
        """Runs of wandb, from the files that it writes offline (``run-ID.wandb``); the package is not needed.

        A run has finished if it ended with exit code 0; one that was killed has not, and its last points may be missing.  The
        configuration and nested metrics have dotted names; texts, tables and pictures are no metrics.  An ID that lies in two
        folders, of a run that was resumed or of two processes, is refused.

        Args:
            paths: the folder ``wandb``, folders of runs, or files.
            step: what counts the steps: "_step", wandb's own count of calls unless ``log(…, step=…)`` gave it, or the name of
                what was logged along, such as "epoch".

        Raises:
            ClaimError: nothing is there, a file is damaged, or a row was logged without its step.
        """
        from harness.runs.wandb import read

        return cls._of_runs(*read(paths, step))

    @classmethod
    def from_parquet(
        cls, paths: Places, *, run: Names, config: Names = (), step: str | None = None, metrics: Names | None = None,
        metric: str | None = None, value: str | None = None, status: str | None = None, finished: Names = "finished",
    ) -> Self:  # fmt: skip
        """Runs of Parquet files with one row per run, per run and step, or per run, step and metric.

        A null was not logged, a NaN was.  Files of a folder have the same columns; folders ``name=value`` between it and
        a file become columns of text.

        Args:
            paths: a file, a pattern, a folder, or several.
            run: see :meth:`from_csv`, as are the others.
            config: what a run was run with.
            step: column of the step.
            metrics: columns of what was logged.
            metric: column with the name of what was logged.
            value: column with its value.
            status: column that says whether a run came to its end.
            finished: what it then holds.

        Raises:
            ClaimError: pyarrow is missing, or see :meth:`from_csv`.
        """
        from harness.runs.parquet import read

        columns, source = read(paths)
        return cls._from_table(columns, source, run, config, step, metrics, metric, value, status, finished, ())

    @classmethod
    def from_lightning(cls, paths: Places, *, step: str = "step", hparams: bool = True) -> Self:
        """Runs of Lightning's CSVLogger: every ``version_N`` below a folder is a run, with its hparams.yaml as configuration.

        Nothing in these files says whether a fit came to its end, so that the state is unknown.  A fit that was resumed is a
        version, and so a run, of its own; a metric that is logged once an epoch may be repeated on later rows of that epoch.

        Args:
            paths: folders such as ``lightning_logs``.
            step: "step" or "epoch".
            hparams: whether hparams.yaml is read.

        Raises:
            ClaimError: nothing is there, or hparams.yaml holds objects, which only running code could read.
        """
        from harness.runs.lightning import read

        return cls._of_runs(*read(paths, step, hparams))

    @classmethod
    def from_hydra(cls, root: str | PathLike[str], *, results: str, step: str | None = None) -> Self:
        """Jobs of Hydra: every folder with ``.hydra/config.yaml`` below one is a run.

        The configuration has dotted names, with the choice of each config group beside it.  No file of Hydra's says whether a
        job came to its end: one without results has not.

        Args:
            root: a folder of ``multirun`` or ``outputs``.
            results: the file in which a job leaves its results: JSON with a number for each metric, a list of these, JSON
                lines, or CSV with a row for each step.
            step: name of the step in the rows; None where there is one row.

        Raises:
            ClaimError: there are no jobs, none has results, or a file cannot be read.
        """
        from harness.runs.hydra import read

        return cls._of_runs(*read(root, results, step))

    @classmethod
    def from_tensorboard(cls, root: str | PathLike[str]) -> Self:
        """Scalars of TensorBoard: every folder with event files below one is a run, of which every point is read.

        Folders that ``add_hparams`` and ``add_scalars`` make below a run's belong to that run.  Values are of single
        precision, as TensorBoard keeps them.  Nothing says whether a run came to its end, so that the state is unknown; a run
        that was resumed without ``purge_step`` has logged steps twice, which rules refuse
        (:meth:`harness.runs.Runs.deduplicated`).

        Args:
            root: a folder of runs.

        Raises:
            ClaimError: there are no event files, or tensorboard is missing.
        """
        from harness.runs.tensorboard import read

        return cls._of_runs(*read(root))

    @classmethod
    def from_mlflow(cls, store: str | PathLike[str], *, experiments: Names | None = None, parents: bool = False) -> Self:
        """Runs that MLflow tracked.

        Parameters, which MLflow keeps as text, are read as the Python values that they are written as.  Runs count as finished
        if MLflow says so; of one that was killed it says that it is running.

        Args:
            store: the database ``mlflow.db``, or the address of a server.
            experiments: names; None for all.
            parents: whether runs that only hold others count.

        Raises:
            ClaimError: mlflow is missing, or there is no such database or experiment.
        """
        from harness.runs.mlflow import read

        return cls._of_runs(*read(store, experiments, parents))

    @classmethod
    def _from_table(cls, columns: Any, source: str, *how: Any) -> Self:
        from harness.runs.tables import runs_of

        return cls._of_runs(runs_of(columns, source, *how), source)

    @classmethod
    def _of_runs(cls, runs: Iterable[Run], source: str) -> Self:
        made: Any = cls
        found: Self = made(tuple(runs), source)
        return found


def _names(given: Names | None) -> list[str]:
    return [] if given is None else [given] if isinstance(given, str) else list(given)
