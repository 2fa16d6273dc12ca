"""The engine that somebody asks for by its name and options in words."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.engines.base import Engine, EngineError

ENGINES = ("local", "ray", "slurm")
PACKAGES = {"ray": "ray", "slurm": "submitit"}


def _whole(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def _amount(text: str) -> float:
    if not 0 <= (number := float(text)) < float("inf"):
        raise ValueError(text)
    return number


def _auth(text: str) -> str:
    if text not in ("token", "disabled"):
        raise ValueError(text)
    return text


# What each engine takes; whatever else SLURM is given is for sbatch.
OPTIONS: Mapping[str, Mapping[str, Callable[[str], Any]]] = {
    "local": {"workers": _whole},
    "ray": {"address": str, "cpus": _amount, "gpus": _amount, "at_once": _whole, "auth": _auth},
    "slurm": {"cluster": str, "minutes": _whole, "cpus": _whole, "gpus": int, "at_once": _whole, "parallel": _whole},
}


def read_options(given: Iterable[str]) -> dict[str, str]:
    """Options written NAME=VALUE, by name.

    Raises:
        EngineError: one of them is not, or comes twice.
    """
    found: dict[str, str] = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not separator or not name:
            raise EngineError(f"{each!r} is no option of an engine; write NAME=VALUE, as in gpus=0.5")
        if name in found:
            raise EngineError(f"the option {name} of the engine is given twice, as {found[name]!r} and {value!r}")
        found[name] = value
    return found


def engine_of(name: str, options: Mapping[str, str] | None = None, *, choice: str = "auto") -> Engine:
    """The engine of a name; nothing is started before a job is sent.

    Args:
        name: "local", "ray" or "slurm".
        options: what it is to be like, in words; see docs/scaling.md.
        choice: the device of its jobs, "auto", "cpu" or "cuda".

    Raises:
        EngineError: there is no such engine or option, or its package is not installed.
        DeviceError: the device is not there.
    """
    if name not in OPTIONS:
        raise EngineError(f"there is no engine {name!r}; choose one of {', '.join(ENGINES)}")
    package = PACKAGES.get(name)
    if package is not None and importlib.util.find_spec(package) is None:
        raise EngineError(f"the engine {name} needs the package {package}: pip install 'claims-harness[{name}]'")
    meant = {each: _meant(name, each, value) for each, value in (options or {}).items() if each in OPTIONS[name]}
    other = {each: value for each, value in (options or {}).items() if each not in OPTIONS[name]}
    if name == "slurm":
        from harness.engines.slurm import SlurmEngine

        return SlurmEngine(sbatch=other, wants=choice, **meant)
    if other:
        raise EngineError(f"the engine {name} has no option {', '.join(other)}; it has {', '.join(OPTIONS[name])}")
    if name == "ray":
        from harness.engines.ray import RayEngine

        return RayEngine(wants=choice, **meant)
    from harness import device
    from harness.engines.local import LocalEngine

    return LocalEngine(uses=device.resolve(choice), **meant)


def _meant(engine: str, name: str, value: str) -> Any:
    try:
        return OPTIONS[engine][name](value)
    except ValueError:
        takes = "token or disabled" if name == "auth" else "a number above 0"
        raise EngineError(f"{name}={value} is not what the option {name} of the engine {engine} takes: {takes}") from None
