"""The options of a session, and the checks that refuse what cannot be done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness import device
from harness.claim import SCALES
from harness.engines import ENGINES, Engine, EngineError, engine_of, read_options
from harness.pytest_plugin import timeout
from harness.pytest_plugin.ledger import Ledger, LedgerError
from harness.pytest_plugin.outcome import Settings
from harness.pytest_plugin.registration import Registration, RegistrationError, of_scale, read_registration
from harness.running.fresh import FreshError, Plan, read_plan

LLC_ENGINES = ("stacked", "devinterp")
_OPTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("--claims-only", "run only the claims with these ids (python -m harness list shows them)",
     {"dest": "claims_wanted", "action": "append", "metavar": "ID[,ID…]"}),
    ("--claims-scale", "size of the models: smoke (decides nothing), reduced (default), full (the documents' sizes)",
     {"choices": SCALES, "default": "reduced"}),
    ("--claims-device", "where to train and measure; auto (default) takes a GPU where there is one",
     {"choices": device.DEVICES, "default": "auto"}),
    ("--claims-memory", "working memory for stacked computation in each process, on top of data and results (default: 1GiB, on "
     "a GPU 8GiB); less takes longer and changes no number", {"metavar": "SIZE"}),
    ("--claims-engine", "where missing networks are trained and measured: the processes of this run (local, default), ray or "
     "slurm; see docs/scaling.md", {"choices": ENGINES, "default": "local"}),
    ("--claims-engine-option", "an option of the engine, such as gpus=0.5 or address=HOST:PORT; repeatable; what SLURM's "
     "does not know goes to sbatch", {"dest": "claims_engine_options", "action": "append", "metavar": "NAME=VALUE"}),
    ("--claims-llc-engine", "what estimates learning coefficients: stacked (default) or devinterp, the reference",
     {"choices": LLC_ENGINES, "default": "stacked"}),
    ("--claims-no-ledger", "the raw view: a refuted or invalid claim fails, even one that the ledger knows",
     {"action": "store_true"}),
    ("--claims-update-ledger", "write this run's verdicts into the ledger (ini option claims_ledger)",
     {"action": "store_true"}),
    ("--claims-because", "with --claims-update-ledger: why declarations or designs were changed after a verdict was known; "
     "kept in the history of each such claim", {"metavar": "REASON"}),
    ("--claims-preregistration", "file that python -m harness preregister wrote: the report says for every claim whether it is "
     "as registered (default: the one of this scale among those of the ini option claims_preregistrations)",
     {"metavar": "FILE"}),
    ("--claims-until-decided", "add seeds in blocks until each claim is decided, by a rule that stays valid at every look; "
     "without the ledger", {"action": "store_true"}),
    ("--claims-most-blocks", "largest number of blocks for --claims-until-decided (default 4); a block has as many seeds "
     "as the claim asks for", {"type": int, "default": 4, "metavar": "N"}),
    ("--claims-fresh", "judge open claims again on fresh seeds alone: file that python -m harness fresh wrote; without ledger",
     {"metavar": "FILE"}),
    ("--claims-family-wise", "judge each claim at α divided by the number of its document's claims, so that any wrong support "
     "in a document has probability α; without the ledger", {"action": "store_true"}),
    ("--claims-search", "judge each claim in N settings of its scope: half of them spread evenly, half at the edge of where it "
     "holds, which is judged once more on fresh seeds", {"type": int, "default": 0, "metavar": "N"}),
    ("--claims-search-minutes", "stop the search of each claim after so many minutes; what was trained is kept",
     {"type": float, "default": None, "metavar": "M"}),
    ("--claims-search-again", "search claims anew whose search in the report has as many settings and is still about them; "
     "without it these are left alone, and the others come first", {"action": "store_true"}),
    ("--claims-timeout", "end each claim that has not returned after so many seconds, not counting the wait for other "
     "processes; its row says so, and the others go on (default: no limit; ini option claims_timeout)",
     {"type": float, "default": None, "metavar": "SECONDS"}),
    ("--claims-search-workers", "processes that a claim's search shares its settings among (default: those of -n that have no "
     "claim of their own)", {"type": int, "default": None, "metavar": "N"}),
    ("--claims-report", "folder for the reports (default: reports)", {"metavar": "DIR"}),
    ("--claims-store", "folder of trained models and measurements, or its URL on a file system that fsspec knows (default: "
     "$HARNESS_STORE, else .harness)", {"metavar": "DIR"}),
    ("--claims-shared-store", "folder or URL of a store that is only read: what it has is not made again; repeatable",
     {"dest": "claims_shared_stores", "action": "append", "default": [], "metavar": "DIR"}),
)  # fmt: skip
_PREFIX = "--claims-"
SHORT = {"--claim": "--claims-only", **{flag.replace(_PREFIX, "--"): flag for flag, *_ in _OPTIONS if flag != "--claims-only"}}
"""Names without the prefix, where a project asks for them by the ini option ``claims_short_options``."""


def add(parser: pytest.Parser) -> None:
    """Add the group "claims" and the ini options; pytest's own ``--strict`` serves for claims as well.

    Every option begins with ``--claims-``, so that it cannot clash with another plugin's: pytest ends every session in an
    environment where two plugins, or a plugin and a project's conftest, add options of the same name.
    """
    group = parser.getgroup("claims", "claims about trained networks")
    for flag, meaning, how in _OPTIONS:
        group.addoption(flag, help=meaning, **{"dest": flag[2:].replace("-", "_"), **how})
    parser.addini("claims_short_options", "accept the options without claims- in their names, too", "bool", default=False)
    parser.addini("claims_folders", "folders where every test function has to be a claim", "args", default=[])
    parser.addini("claims_ledger", "file with the verdicts that this project knows", default="")
    parser.addini("claims_preregistrations", "preregistrations: a run is compared with that of its scale", "args", default=[])
    parser.addini("claims_searches", "claims.json of runs whose searches the report shows for claims that are not searched now",
                  "args", default=[])  # fmt: skip
    parser.addini("claims_stories", "folder with DOCUMENT.md, what is written about each document", default="")
    parser.addini("claims_timeout", "seconds after which a claim is ended; empty for no limit", default="")


def lengthen(config: pytest.Config, parser: pytest.Parser, arguments: list[str]) -> None:
    """Replace the short names of options by their full names, if the project asks for that.

    A short name that another plugin or a conftest has for an option stays theirs.

    Args:
        config: with the ini options read.
        parser: with the options of all plugins and conftests.
        arguments: of the command line; changed in place, before pytest reads them.
    """
    if not config.getini("claims_short_options"):
        return
    for place, given in enumerate(arguments):
        if given == "--":
            return
        name, separator, value = given.partition("=")
        if name in SHORT and _is_free(parser, name):
            arguments[place] = SHORT[name] + separator + value


def _is_free(parser: pytest.Parser, name: str) -> bool:
    """Whether nobody has an option of this name."""
    given = f"{name}=x"
    try:
        return given in parser.parse_known_and_unknown_args([given])[1]
    except (pytest.UsageError, SystemExit):  # somebody has, and does not take this value
        return False


def engine(config: pytest.Config, options: Mapping[str, str] | None = None) -> Engine | None:
    """The engine that was asked for; None for the processes of the run.

    Args:
        config: the session's.
        options: what the engine is to be like besides.

    Raises:
        pytest.UsageError: it cannot be had.
    """
    name, choice = config.getoption("claims_engine"), config.getoption("claims_device")
    try:
        given = read_options(config.getoption("claims_engine_options") or ())
        if name == "local":
            if given:
                raise EngineError(f"{', '.join(given)} is an option of another engine; give --claims-engine ray or slurm, too")
            return None
        found = engine_of(name, {**given, **(options or {})}, choice=choice)
        found.device(choice)
    except (EngineError, device.DeviceError) as problem:
        raise pytest.UsageError(f"--claims-engine {name}: {problem}") from None
    return found


def check_device(config: pytest.Config) -> None:
    """Raise pytest.UsageError if a GPU is asked for and there is none; only then is torch imported."""
    if config.getoption("claims_device") == "cuda" and config.getoption("claims_engine") == "local":
        try:
            device.resolve("cuda")
        except device.DeviceError as problem:
            raise pytest.UsageError(f"--claims-device cuda: {problem}") from None


def time_limit(config: pytest.Config) -> float | None:
    """Seconds that a claim may take; None for no limit.

    Raises:
        pytest.UsageError: that is no time, or it cannot be kept on this system.
    """
    given, name = config.getoption("claims_timeout"), "--claims-timeout"
    if given is None and (said := config.getini("claims_timeout")):
        name = "claims_timeout ="
        try:
            given = float(said)
        except ValueError:
            raise pytest.UsageError(f"{name} {said}: give a number of seconds, or leave it empty for no limit") from None
    worker = hasattr(config, "workerinput")
    timeout.check(given, worker or getattr(config.option, "numprocesses", None), name)
    return None if given is None else float(given)


def limit_memory(config: pytest.Config) -> None:
    """Bound the working memory of this process by what is asked for.

    Raises:
        pytest.UsageError: that is not an amount of memory.
    """
    asked = config.getoption("claims_memory")
    try:
        device.limit_memory(None if asked is None else device.read_memory(asked))
    except device.DeviceError as problem:
        raise pytest.UsageError(f"--claims-memory: {problem}") from None


def share_card(processes: int) -> None:
    """Say how many workers share this one's card."""
    if processes > 1:
        from harness.cuda.memory import share_card

        share_card(processes)


def claims_folders(config: pytest.Config) -> tuple[Path, ...]:
    """The folders of the ini option ``claims_folders``."""
    return tuple(config.rootpath / name for name in config.getini("claims_folders"))


def settings(config: pytest.Config) -> Settings:
    """The session's settings, with its ledger read.

    Raises:
        pytest.UsageError: options that contradict each other, or a file that is not a valid ledger.
    """
    named, updating = config.getini("claims_ledger"), config.getoption("claims_update_ledger")
    because = config.getoption("claims_because")
    raw = config.getoption("claims_no_ledger")
    if config.getoption("claims_search") < 0:
        raise pytest.UsageError(
            f"--claims-search {config.getoption('claims_search')}: give the number of settings to try, 1 or more"
        )
    if (minutes := config.getoption("claims_search_minutes")) is not None and not minutes > 0:
        raise pytest.UsageError(f"--claims-search-minutes {minutes:g}: give a number of minutes above 0")
    if (helpers := config.getoption("claims_search_workers")) is not None and helpers < 1:
        raise pytest.UsageError(f"--claims-search-workers {helpers}: give a number of processes, 1 or more")
    own_rule = _own_rule(config)
    if updating and own_rule:
        raise pytest.UsageError(
            f"--claims-update-ledger and {own_rule} contradict each other: the ledger holds verdicts of the ordinary rule"
        )
    if updating and raw:
        raise pytest.UsageError("--claims-update-ledger and --claims-no-ledger contradict each other; give one of them")
    if because is not None and not (updating and because.strip()):
        raise pytest.UsageError(
            "--claims-because gives the reason for changes that --claims-update-ledger accepts: give both, and a reason of a "
            "few words"
        )
    if updating and not named:
        raise pytest.UsageError(
            "--claims-update-ledger has no ledger to write to; name one in the configuration: "
            'claims_ledger = "fixtures/ledger.json"'
        )
    try:
        ledger = Ledger.read(config.rootpath / named) if named and not raw and not own_rule else Ledger()
    except LedgerError as problem:
        raise pytest.UsageError(str(problem)) from None
    reports = config.getoption("claims_report")
    return Settings(
        scale=config.getoption("claims_scale"),
        strict=bool(config.getoption("strict", False)),
        ledger=ledger,
        updating=updating,
        because=because,
        today=datetime.now(UTC).date().isoformat(),
        registration=_registration(config),
        family_wise=config.getoption("claims_family_wise"),
        blocks=config.getoption("claims_most_blocks") if config.getoption("claims_until_decided") else None,
        fresh=fresh_plan(config),
        search=config.getoption("claims_search"),
        minutes=config.getoption("claims_search_minutes"),
        timeout=time_limit(config),
        searchers=config.getoption("claims_search_workers"),
        search_again=config.getoption("claims_search_again"),
        searches=tuple(config.rootpath / name for name in config.getini("claims_searches")),
        reports=config.rootpath / "reports" if reports is None else config.invocation_params.dir / reports,
        root=config.invocation_params.dir,
    )


def fresh_plan(config: pytest.Config) -> Plan | None:
    """Which claims are judged on fresh seeds alone; None for their own seeds.

    Raises:
        pytest.UsageError: the plan cannot be read, or another option contradicts it.
    """
    given = config.getoption("claims_fresh")
    if given is None:
        return None
    if config.getoption("claims_until_decided") or config.getoption("claims_search"):
        raise pytest.UsageError("--claims-fresh judges each claim once; leave out --claims-until-decided and --claims-search")
    try:
        return read_plan(config.invocation_params.dir / given, config.getoption("claims_scale"))
    except FreshError as problem:
        raise pytest.UsageError(f"--claims-fresh: {problem}") from None


def _registration(config: pytest.Config) -> Registration | None:
    """The preregistration that the run is compared with.

    Raises:
        pytest.UsageError: it cannot be read, or the one that was given is of another scale.
    """
    given, scale = config.getoption("claims_preregistration"), config.getoption("claims_scale")
    kept = [config.rootpath / name for name in config.getini("claims_preregistrations")]
    try:
        if given is None:
            return of_scale(kept, scale)
        registration = read_registration(config.invocation_params.dir / given)
        registration.check_scale(scale)
    except RegistrationError as problem:
        named = "claims_preregistrations" if given is None else "--claims-preregistration"
        raise pytest.UsageError(f"{named}: {problem}") from None
    return registration


def _own_rule(config: pytest.Config) -> str | None:
    """The option that has claims judged by another rule than the ordinary one, or None.

    Raises:
        pytest.UsageError: an option that cannot be followed.
    """
    if config.getoption("claims_most_blocks") < 2:
        raise pytest.UsageError(
            f"--claims-most-blocks {config.getoption('claims_most_blocks')}: seeds are added in 2 blocks or more; without "
            "them, leave out --claims-until-decided"
        )
    family, growing = config.getoption("claims_family_wise"), config.getoption("claims_until_decided")
    if family and not hasattr(config, "workerinput") and runs_claims(config) and leaves_out_unseen(config):
        raise pytest.UsageError(
            "--claims-family-wise divides α by the number of a document's claims, so that all of them have to be collected: "
            "give the whole claims folder and choose with --claims-only or -k"
        )
    if config.getoption("claims_fresh") is not None:
        return "--claims-fresh"
    return "--claims-until-decided" if growing else "--claims-family-wise" if family else None


def runs_claims(config: pytest.Config) -> bool:
    """Whether what pytest was given to collect lies in, or holds, a claims folder."""
    given, folders = _given(config), claims_folders(config)
    return any(path.is_relative_to(home) or home.is_relative_to(path) for path in given for home in folders)


def leaves_out_unseen(config: pytest.Config) -> bool:
    """Whether pytest was asked for a part of the claims in a way that does not even collect the others."""
    if config.getoption("lf", False) and config.cache and config.cache.get("cache/lastfailed", {}):
        return True
    homes, option = claims_folders(config), config.option
    ignored = [config.invocation_params.dir / str(path) for path in option.ignore or ()]
    if option.ignore_glob or any(path.is_relative_to(home) or home.is_relative_to(path) for path in ignored for home in homes):
        return True
    given = _given(config)
    return not all(any(home.is_relative_to(path) for path in given) for home in homes)


def _given(config: pytest.Config) -> list[Path]:
    return [config.invocation_params.dir / str(argument).split("::")[0] for argument in config.args]
