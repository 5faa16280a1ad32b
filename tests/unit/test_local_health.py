"""What machines say of their health: the last word counts, and it may be anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.blueprint_values import stack_of
from tests.unit.test_local_services import SERVICE_ADDRESS, Clients

from greenroom.model.stack import Stack
from greenroom.providers.local import health
from greenroom.providers.local.health import HealthWords
from greenroom.providers.local.residents import Resident


class Time:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def stack() -> Stack:
    return stack_of("backend", "db", "feed", branch="feature_x")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def words(time: Time) -> HealthWords:
    return HealthWords(time)


def say(words: HealthWords, stack: Stack, *problems: str, machine: str = "db1") -> int:
    body = json.dumps({"problems": problems}).encode()
    return words.receive(Resident(stack, stack.machine(machine)), body)


def test_the_last_word_of_each_machine_counts(words: HealthWords, stack: Stack, time: Time) -> None:
    assert words.problems(stack) == {}
    assert say(words, stack) == 200
    time.now_s = 10.0
    assert say(words, stack, "port 3306", "disk") == 200
    assert say(words, stack, machine="backend1") == 200
    assert words.problems(stack) == {"db1": ("port 3306", "disk"), "backend1": ()}


def test_only_news_is_told(words: HealthWords, stack: Stack, time: Time) -> None:
    told: list[float] = []
    words.listen(lambda: told.append(time.now_s))
    for now_s, problems in ((0.0, ()), (10.0, ()), (20.0, ("port 3306",)), (30.0, ("port 3306",))):
        time.now_s = now_s
        assert say(words, stack, *problems) == 200
    assert told == [0.0, 20.0]


def test_a_machine_that_changes_its_mind_all_the_time_is_not_heard(
    words: HealthWords, stack: Stack, time: Time
) -> None:
    assert say(words, stack) == 200
    time.now_s = health.TAKEN_EVERY_S - 0.1
    assert say(words, stack, "port 3306") == 429
    assert words.problems(stack) == {"db1": ()}
    time.now_s = health.TAKEN_EVERY_S
    assert say(words, stack, "port 3306") == 200


def test_a_machine_that_falls_silent_is_not_well(
    words: HealthWords, stack: Stack, time: Time
) -> None:
    say(words, stack)
    time.now_s = health.SILENT_AFTER_S
    assert words.problems(stack) == {"db1": ("its agent has said nothing for 90 s",)}
    say(words, stack)
    assert words.problems(stack) == {"db1": ()}


def test_another_life_begins_without_the_words_of_the_last(
    words: HealthWords, stack: Stack
) -> None:
    for name in ("db1", "backend1"):
        say(words, stack, machine=name)
    words.forget(stack.environment, ("db1",))
    assert words.problems(stack) == {"backend1": ()}
    words.forget(stack.environment)
    assert words.problems(stack) == {}
    words.forget(stack.environment, ("db1",))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"problems": "all"}', 400),
        (b'{"problems": [1]}', 400),
        (b'{"problems": [' + b'"x",' * 70 + b'"x"]}', 400),
        (b'{"problems": [], "role": "operator"}', 200),
        (b'{"problems": ["\\ud800"]}', 400),
        (b" " * 5000, 413),
    ],
)
def test_a_word_that_is_none_is_refused(
    words: HealthWords, stack: Stack, body: bytes, status: int
) -> None:
    assert words.receive(Resident(stack, stack.machine("db1")), body) == status


def test_what_is_kept_of_a_word_is_bounded(words: HealthWords, stack: Stack) -> None:
    body = json.dumps({"problems": ["x" * 400] * 9}).encode()
    assert words.receive(Resident(stack, stack.machine("db1")), body) == 200
    problems = words.problems(stack)["db1"]
    assert len(problems) == health.PROBLEMS_MAX
    assert all(len(each) == health.PROBLEM_CHARACTERS for each in problems)


def test_a_machine_speaks_for_itself_only(tmp_path: Path, stack: Stack) -> None:
    clients = Clients(tmp_path, stack)
    url = f"/health/{stack.machine('db1').signal_token}"
    body = json.dumps({"problems": ["port 3306"]}).encode()
    assert clients.of("backend1", SERVICE_ADDRESS).put(url, content=body).status_code == 404
    assert clients.of("", SERVICE_ADDRESS).put("/health/guess", content=body).status_code == 404
    assert clients.words.problems(stack) == {}
    assert clients.of("db1", SERVICE_ADDRESS).put(url, content=body).status_code == 200
    assert clients.words.problems(stack) == {"db1": ("port 3306",)}
