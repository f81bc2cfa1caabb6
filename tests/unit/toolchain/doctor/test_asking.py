import os
from functools import partial

import pytest

from tests.unit.toolchain.doctor.clis import Clis, Refusal
from toolchain.doctor import asking
from toolchain.doctor.asking import Reply, UnansweredError


class _Reply(Reply):
    account: str


def test_a_program_that_is_not_there_is_named(clis: Clis) -> None:
    with pytest.raises(UnansweredError, match="aws is not on PATH") as caught:
        asking.run(["aws", "sts"])
    assert not caught.value.refused


def test_a_program_that_does_not_answer_is_ended_with_its_children(clis: Clis) -> None:
    clis.hang("az")
    with pytest.raises(UnansweredError, match=r"`az account show` did not answer within 0\.2 s"):
        asking.run(["az", "account", "show", "--output", "json"], patience=0.2)
    # Nobody reads the pipe any more, else opening it for writing would succeed.
    with pytest.raises(OSError, match="No such device"):
        os.open(clis.folder / "az.pipe", os.O_WRONLY | os.O_NONBLOCK)


def test_of_a_failure_the_line_that_says_why_is_shown(clis: Clis) -> None:
    clis.add("aws", {"sts": Refusal("\nDEBUG: x\nAn error occurred (ExpiredToken): it expired\n")})
    with pytest.raises(UnansweredError, match=r"An error occurred \(ExpiredToken\)") as caught:
        asking.run(["aws", "sts"])
    assert caught.value.refused


def test_a_secret_of_the_environment_that_a_program_quotes_is_not_shown(
    clis: Clis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjE\n")
    clis.add("aws", {"sts": Refusal("Invalid header value b'IQoJb3JpZ2luX2VjE\\n'")})
    with pytest.raises(UnansweredError, match="Invalid header value") as caught:
        asking.run(["aws", "sts"])
    assert "IQoJ" not in str(caught.value)


def test_an_answer_of_another_form_is_none_and_is_not_shown(clis: Clis) -> None:
    clis.add("aws", {"sts": {"token": "hidden"}})
    with pytest.raises(UnansweredError, match="something else than its documentation") as caught:
        asking.parsed(clis.ask, ["aws", "sts"], _Reply)
    assert "hidden" not in str(caught.value)


def test_questions_are_answered_in_their_order_though_one_has_no_answer(clis: Clis) -> None:
    clis.add("a", {"x": "1"})
    answers = asking.together([partial(clis.ask, [name, "x"]) for name in ("a", "b", "a")])
    assert [isinstance(answer, UnansweredError) for answer in answers] == [False, True, False]
