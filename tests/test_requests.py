"""Requests to a wave and their answers, in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import Model, wave_of

from wavelane.control.requests import (
    Addition,
    Answer,
    Request,
    RequestError,
    decode_request,
    encode_request,
    execute,
)
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    ParkRequested,
    RunCutOff,
    StopRequested,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.outcomes import Blocked
from wavelane_model.wave import Issue

WAVE = wave_of("a#1", "b#1", "c#1", "c#2 < a#1")
NOON = 1_795_694_400.0


def running(*lines: str) -> Model:
    return Model(wave_of(*lines) if lines else WAVE)


def asked(model: Model, request: Request | str, *, live: bool = True) -> Answer:
    text = request if isinstance(request, str) else encode_request(request)
    return execute(text, model.state, model.take, live=live)


DONE: dict[str, tuple[Request, str]] = {
    "a lower cap": (CapMoved("set", 2), "cap 3 → 2; 3 are in flight, nothing is interrupted"),
    "one down": (CapMoved("step_down"), "cap 3 → 2; 3 are in flight, nothing is interrupted"),
    "a pause": (
        CapMoved("pause"),
        "cap 3 → paused: nothing new starts; 3 sessions finish their step",
    ),
    "a cap of 0": (
        CapMoved("set", 0),
        "cap 3 → paused: nothing new starts; 3 sessions finish their step",
    ),
    "a stop": (StopRequested(), "stopping: 3 sessions finish their step, then the run ends"),
    "parking what waits": (ParkRequested("c#2", "which one?"), "c#2 is parked: which one?"),
    "parking what runs": (ParkRequested("a#1", "why?"), "a#1 is being ended, then parked"),
    "cancelling what waits": (CancelRequested("c#2"), "c#2 is cancelled"),
    "cancelling what runs": (CancelRequested("a#1"), "a#1 is being ended, then cancelled"),
    "the cap that it has": (CapMoved("set", 3), "the cap is 3 already"),
    "resuming what is not paused": (CapMoved("resume"), "nothing is paused: cap 3 of 3"),
}


@pytest.mark.parametrize("kind", DONE)
def test_what_is_done_is_said(kind: str) -> None:
    request, says = DONE[kind]

    assert asked(running(), request) == Answer(True, says)


REFUSED: dict[str, tuple[Request, str]] = {
    "a cap above the ceiling": (
        CapMoved("set", 4),
        "the cap cannot be 4: give 0 (paused) to 3, its ceiling",
    ),
    "a cap below 0": (CapMoved("set", -1), "the cap cannot be -1: give 0 (paused) to 3"),
    "one up at the ceiling": (CapMoved("step_up"), "the cap is 3 already, which is its ceiling"),
    "unparking what is not parked": (
        UnparkRequested("a#1"),
        "a#1 is running, so it cannot be unparked",
    ),
    "an unknown issue": (
        ParkRequested("x#9", "?"),
        'issue "x#9" is not in the wave; its issues are a#1, b#1, c#1, c#2',
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_why_it_cannot_be_is_said_and_nothing_changes(kind: str) -> None:
    request, says = REFUSED[kind]
    model = running()
    before = model.state.key()

    answer = asked(model, request)

    assert not answer.done
    assert answer.text.startswith(says)
    assert model.state.key() == before


def test_a_name_that_is_nearly_right_is_named_first() -> None:
    model = running(*(f"repo#{number}" for number in range(1, 10)))

    text = asked(model, CancelRequested("rpo#8")).text

    assert text.endswith("its issues are repo#8, repo#1, repo#2, repo#3, repo#4 and 4 more")


def test_what_holds_already_is_done() -> None:
    model = running()
    for request in (CapMoved("pause"), CancelRequested("c#2"), CancelRequested("a#1")):
        model.take(request)

    assert asked(model, CapMoved("pause")) == Answer(True, "paused already")
    assert asked(model, CapMoved("set", 0)) == Answer(True, "the cap is paused already")
    assert asked(model, CancelRequested("c#2")) == Answer(True, "c#2 is cancelled already")
    assert asked(model, CancelRequested("a#1")) == Answer(True, "a#1 is being cancelled already")


def test_what_is_parked_done_or_being_cancelled_cannot_be_parked() -> None:
    model = running("a#1", "b#1", "c#1")
    model.end("a#1", Blocked("which footer?"))
    model.finish("b#1")
    model.take(CancelRequested("c#1"))

    texts = [asked(model, ParkRequested(one, "?")).text for one in ("a#1", "b#1", "c#1")]

    assert texts == [
        "a#1 is parked (which footer?), so it cannot be parked",
        "b#1 is done, so it cannot be parked",
        "c#1 is being cancelled, so it cannot be parked",
    ]


def test_an_unparked_issue_says_where_it_is_now() -> None:
    model = running()
    model.take(ParkRequested("c#2", "?"))

    assert (
        asked(model, UnparkRequested("c#2")).text == "c#2 is tried again: waits for a#1 (running)"
    )


def test_a_pause_with_a_time_says_when_and_a_second_one_that_it_moved() -> None:
    model = running()

    first = asked(model, CapMoved("pause", until=NOON)).text
    again = asked(model, CapMoved("pause", until=NOON)).text
    later = asked(model, CapMoved("pause", until=NOON + 3600)).text
    lower = asked(model, CapMoved("step_down")).text

    assert first.startswith("cap 3 → paused until 2026-11-26 ")
    assert again.startswith("paused already until 2026-11-26 ")
    assert later.startswith("paused until 2026-11-26 ")
    assert lower.endswith("there is no lower level")


def test_between_runs_it_is_said_that_it_holds_in_the_next_one() -> None:
    model = running()
    model.take(RunCutOff())

    assert asked(model, CapMoved("step_down"), live=False).text == (
        "cap 3 → 2; 3 are in flight, nothing is interrupted; "
        "no run is under way: it takes effect in the next one"
    )
    assert asked(model, CancelRequested("a#1"), live=False).text.startswith(
        "a#1 is cancelled as soon as it is known what the last run left of it; "
    )


def test_there_is_nothing_to_stop_between_runs() -> None:
    model = Model(WAVE, started=False)

    answer = asked(model, StopRequested(), live=False)

    assert answer == Answer(
        False,
        "no run is under way, so there is nothing to stop; "
        "`pause` keeps the next one from starting anything",
    )
    assert model.take(WaveStarted()) == ["implement a#1", "implement c#1", "implement b#1"]


# Requests and answers as JSON


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (CapMoved("set", 2), '{"verb":"cap","move":"set","level":2}'),
        (CapMoved("pause", until=5.0), '{"verb":"cap","move":"pause","until":5.0}'),
        (ParkRequested("a#1", "?"), '{"verb":"park","issue":"a#1","reason":"?"}'),
        (UnparkRequested("a#1"), '{"verb":"unpark","issue":"a#1"}'),
        (CancelRequested("a#1"), '{"verb":"cancel","issue":"a#1"}'),
        (StopRequested(), '{"verb":"stop"}'),
    ],
)
def test_a_request_is_a_verb_and_its_fields(request_: Request, text: str) -> None:
    assert encode_request(request_) == text
    assert decode_request(text) == request_


GARBAGE = [
    *("", "x", "{}", "[]", "null", "7", '"stop"', '{"verb":"dance"}', '{"verb":["stop"]}'),
    *('{"verb":"cap"}', '{"verb":"cap","move":"set","level":"2"}', '{"verb":"cap","move":"up"}'),
    *('{"verb":"cap","move":"set","level":1.5}', '{"verb":"cap","move":"set","level":true}'),
    *('{"verb":"cap","move":"pause","until":NaN}', '{"verb":"cap","move":"pause","until":1e300}'),
    *('{"verb":"park","issue":"a#1"}', '{"verb":"park","issue":7,"reason":"?"}'),
    *('{"verb":"stop","now":true}', "[" * 100_000, '{"verb":"cancel","issue":null}'),
]


@pytest.mark.parametrize("text", GARBAGE, ids=lambda text: text[:40])
def test_garbage_is_answered_with_what_may_be_asked(text: str) -> None:
    with pytest.raises(RequestError):
        decode_request(text)

    answer = asked(running(), text)

    assert not answer.done
    assert answer.text.startswith("the command cannot be read: ")
    assert answer.text.endswith("its verb is one of cap, park, unpark, cancel, stop, add")
    assert len(answer.text) < 400


def test_an_answer_is_read_back_and_one_that_is_garbage_is_not_done() -> None:
    for answer in (Answer(True, "cap 3 → 2"), Answer(False, "caf\udce9")):
        assert Answer.from_json(answer.to_json()) == answer
    assert Answer.from_json(b"\xff") == Answer(False, "the answer cannot be read: �")


ISSUES = st.sampled_from([*WAVE.position, "x#1", "", "\0", "\udce9"])
REQUESTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        CapMoved,
        st.sampled_from(["step_down", "step_up", "set", "pause", "resume"]),
        st.integers(),
        st.none() | st.floats(0, 1e11),
    ),
    st.builds(ParkRequested, ISSUES, st.text()),
    st.builds(UnparkRequested, ISSUES),
    st.builds(CancelRequested, ISSUES),
    st.just(StopRequested()),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
ODD = st.fixed_dictionaries(
    {"verb": st.sampled_from(["cap", "park", "unpark", "cancel", "stop", "add"])},
    optional={
        **dict.fromkeys(("move", "level", "until", "issue", "reason"), JSON),
        **dict.fromkeys(("issues", "done", "details"), JSON),
    },
)


@given(REQUESTS)
def test_every_request_is_read_back_as_it_was_written(request: Any) -> None:
    assert decode_request(encode_request(request)) == request


@given(st.lists(REQUESTS | ODD | JSON | st.binary(), max_size=20), st.booleans(), st.booleans())
def test_whatever_is_asked_is_answered(requests: list[Any], cut_off: bool, live: bool) -> None:
    model = running()
    if cut_off:
        model.take(RunCutOff())
        live = False
    for one in requests:
        text = (
            one
            if isinstance(one, bytes)
            else encode_request(one)
            if isinstance(one, CapMoved | ParkRequested | UnparkRequested | CancelRequested)
            else json.dumps(one, default=lambda _: {"verb": "stop"})
        )
        answer = execute(text, model.state, model.take, live=live)

        assert answer.text
        assert Answer.from_json(answer.to_json()) == answer


# Added issues


def added(*issues: Issue, details: Any = None) -> Addition:
    return Addition(WaveAmended(issues), details or {})


def test_what_is_added_and_what_is_changed_is_said() -> None:
    model = running()

    answer = asked(model, added(Issue("c#2", "c", title="new"), Issue("b#2", "b", ["b#1"])))

    assert answer == Answer(True, "added b#2; changed c#2; keep that in the wave file")
    assert model.why("b#2") == "waits for b#1 (running)"


def test_an_addition_is_read_back_as_it_was_written() -> None:
    request = added(
        Issue("b#2", "b", ["b#1"], estimate=60.0), details={"b#2": {"implement": ["a", "b"]}}
    )

    assert decode_request(encode_request(request)) == request


def test_what_cannot_be_added_is_answered_with_all_that_is_wrong() -> None:
    answer = asked(running(), added(Issue("x#1", "x"), Issue("b#2", "b", ["b#9"])))

    assert not answer.done
    assert 'issue "x#1" is in repo "x"' in answer.text
    assert 'issue "b#2" depends on "b#9", which is not in the wave' in answer.text


def test_a_pipeline_may_refuse_what_it_cannot_work_on() -> None:
    model = running()

    def refuse(issues: object, details: object) -> None:
        raise ValueError('nothing says what implements issue "b#2"')

    answer = execute(
        encode_request(added(Issue("b#2", "b"))), model.state, model.take, live=True, extend=refuse
    )

    assert answer == Answer(False, 'nothing says what implements issue "b#2"')
    assert "b#2" not in model.state.wave


def test_what_is_added_while_no_run_is_under_way_is_to_be_kept_in_the_wave_file() -> None:
    model = running()
    model.take(RunCutOff())

    answer = asked(model, added(Issue("b#2", "b")), live=False)

    assert answer == Answer(True, "added b#2; no run is under way: keep that in the wave file")
