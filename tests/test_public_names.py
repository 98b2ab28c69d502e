"""Everything that a public signature mentions is importable from `wavelane`."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from types import FunctionType, ModuleType

import pytest

import wavelane
import wavelane.testing

MADE_BY_WAVELANE = frozenset({"CapControl", "NoticeStream"})
"""Classes that a user gets and never makes: their constructors are wavelane's own."""
OF_TESTING = frozenset({"Step"})
"""Types that `wavelane.testing` mentions, and nothing else does."""


def annotations_of(public: object) -> Iterator[tuple[str, object, ModuleType]]:
    """Where an annotation of a public thing stands, the annotation, and the module around it."""
    name = getattr(public, "__name__", "")
    module = sys.modules[getattr(public, "__module__", "wavelane")]
    if isinstance(public, FunctionType):
        yield from ((name, one, module) for one in public.__annotations__.values())
    if not isinstance(public, type):
        return
    for field, annotation in inspect.get_annotations(public).items():
        if not field.startswith("_"):
            yield (f"{name}.{field}", annotation, module)
    for member, value in vars(public).items():
        if member.startswith("_") and (member != "__init__" or name in MADE_BY_WAVELANE):
            continue
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        function = inspect.unwrap(function) if callable(function) else function
        if isinstance(function, FunctionType) and function.__module__ == public.__module__:
            yield from (
                (f"{name}.{member}", one, module) for one in function.__annotations__.values()
            )


def names_in(annotation: object) -> set[str]:
    """The names that an annotation mentions; all are texts, but those that a NamedTuple keeps."""
    if isinstance(annotation, str):
        return {node.id for node in ast.walk(ast.parse(annotation)) if isinstance(node, ast.Name)}
    if isinstance(annotation, typing.ForwardRef):
        return names_in(annotation.__forward_arg__)
    return {getattr(annotation, "__name__", "")}


def is_ours(name: str, module: ModuleType) -> bool:
    """Whether a name is a type or an alias of wavelane's, and not one of Python's."""
    if name not in vars(module):
        return False
    value = vars(module)[name]
    if isinstance(value, typing.TypeVar | typing.TypeVarTuple):
        return False
    if isinstance(value, type):
        return value.__module__.partition(".")[0] in ("wavelane", "wavelane_model")
    is_an_alias = typing.get_origin(value) is not None
    return is_an_alias and getattr(value, "__module__", "typing") != "collections.abc"


def missing(module: ModuleType, known: set[str]) -> dict[str, set[str]]:
    """Unknown names that the public things of a module mention, and where."""
    found: dict[str, set[str]] = {}
    for public in (getattr(module, name) for name in module.__all__):
        for where, annotation, around in annotations_of(public):
            for name in names_in(annotation) - known:
                if is_ours(name, around):
                    found.setdefault(name, set()).add(where)
    return found


def test_every_type_that_a_public_signature_mentions_is_public() -> None:
    assert missing(wavelane, {*wavelane.__all__}) == {}


def test_every_type_that_a_signature_of_the_testing_tools_mentions_is_public() -> None:
    known = {*wavelane.__all__, *wavelane.testing.__all__}

    assert missing(wavelane.testing, known | OF_TESTING) == {}


def test_a_type_that_is_taken_out_is_missed() -> None:
    """The test above can fail: for a class, for an alias, and for a field."""
    known = {*wavelane.__all__} - {"Overview", "RunOutcome", "Reason", "LaneRelease"}

    found = missing(wavelane, known)

    assert {*found} == {"Overview", "RunOutcome", "Reason", "LaneRelease"}
    assert "Scheduler.overview" in found["Overview"]
    assert "Report.outcome" in found["RunOutcome"]
    assert found["LaneRelease"] == {"Scheduler.__init__"}


def test_verify_is_the_function_although_a_wing_has_its_name() -> None:
    program = (
        "import wavelane, wavelane.verify, wavelane.verify.verdict\n"
        "from wavelane import verify\n"
        "print(callable(verify), verify.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.split() == ["True", "verify"]


@pytest.mark.parametrize("name", sorted({*wavelane.__all__} - {"__version__"}))
def test_every_public_name_says_what_it_is(name: str) -> None:
    public = getattr(wavelane, name)
    if not isinstance(public, type | FunctionType):
        return  # an alias: the reference shows the text below it
    assert public.__doc__
    assert not public.__doc__.startswith(f"{name}("), "a dataclass without a docstring of its own"
