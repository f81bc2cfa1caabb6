"""A reviewer sees in a minute what a change does: the grave things first, and nothing hidden."""

import re
from typing import Any

from tests.unit.previews.steps import (
    CLAIM,
    CLUSTER,
    DEPLOYMENT,
    NAMESPACE,
    SECRET,
    replaced,
    report,
    step,
)
from toolchain.previews import markdown, text
from toolchain.previews.document import Report
from toolchain.previews.guard import Verdict
from toolchain.previews.model import ChangeSet, Field, Problem


def image(old: str, new: str, name: str = "digits") -> dict[str, Any]:
    """Return the step of a changed image."""
    path = "spec.template.spec.containers[0].image"

    def spec(of: str) -> dict[str, Any]:
        return {"spec": {"template": {"spec": {"containers": [{"image": of}]}}}}

    return step("update", DEPLOYMENT, name, old=spec(old), new=spec(new), paths={path: True})


def test_nothing_changing_is_one_line() -> None:
    lines = markdown.render(report()).splitlines()
    assert lines == ["<!-- slipway preview: dev -->", "## Stack `dev`: nothing changes"]


def test_counts_come_first_and_the_grave_sections_before_the_others() -> None:
    shown = markdown.render(
        report(
            step("create", DEPLOYMENT, "new", new={}),
            image("a", "b"),
            step("delete", NAMESPACE, "audio", old={}),
            *replaced(CLUSTER, "cluster"),
        )
    )
    assert "1 replaced, 1 deleted, 1 added, 1 changed" in shown.splitlines()[1]
    titles = re.findall(r"^### (.*)$", shown, re.MULTILINE)
    assert titles == ["Needs an approval", "Replaced", "Deleted", "Changed", "Added"]


def test_within_a_section_a_loss_comes_first() -> None:
    shown = markdown.render(
        report(
            step("delete", "kubernetes:core/v1:ConfigMap", "settings", old={}),
            step("delete", DEPLOYMENT, "digits", old={}),
            step("delete", CLAIM, "data", old={}),
        )
    )
    section = shown.partition("### Deleted")[2]
    places = [section.index(name) for name in ("`data`", "`digits`", "`settings`")]
    assert places == sorted(places)
    assert "**lost:**" in section and "**down:**" in section


def test_a_destruction_without_approval_says_how_to_approve_it() -> None:
    shown = markdown.render(report(step("delete", NAMESPACE, "audio", old={})))
    assert "`slipway:approve: [audio]`" in shown


def test_an_approved_destruction_is_still_told() -> None:
    shown = markdown.render(report(step("delete", NAMESPACE, "audio", old={}), approve=("audio",)))
    assert "Needs an approval" not in shown
    assert "Namespace `audio` will be deleted, as approved" in shown


def test_an_approval_of_nothing_is_told() -> None:
    assert "`visoin` in `slipway:approve`" in markdown.render(report(approve=("visoin",)))


def test_a_changed_field_has_its_old_and_its_new_value() -> None:
    lines = markdown.render(report(image("server:1", "server:2"))).splitlines()
    path = "spec.template.spec.containers[0].image"
    assert f"- {path}: server:1" in lines
    assert f"+ {path}: server:2" in lines


def test_a_changed_text_of_many_lines_shows_the_lines_that_differ() -> None:
    old = "\n".join(f"line {number}" for number in range(100))
    lines = text.difference(Field("data.config", old, old.replace("line 50\n", "line 50!\n")))
    assert "-line 50" in lines and "+line 50!" in lines
    assert len(lines) < 10


def test_no_secret_is_in_a_report() -> None:
    shown = markdown.render(
        report(
            step(
                "update",
                SECRET,
                "token",
                old={"stringData": {"token": "hunter2"}},
                new={"stringData": {"token": "hunter3"}},
                paths={"stringData.token": True},
            ),
            step("create", SECRET, "other", new={"stringData": {"token": "hunter4"}}),
        )
    )
    assert "hunter" not in shown
    assert "stringData.token: [secret], changed" in shown


def test_a_value_cannot_break_out_of_its_place() -> None:
    nasty = "```\n<img src=x>\n@everyone ```` | `\x1b[2J\u202e"
    steps = [
        image("a", nasty),
        step("create", DEPLOYMENT, "x|y`z", new={}),
        step("delete", DEPLOYMENT, "x|y`z2", old={}),
    ]
    shown = markdown.render(report(*steps))
    assert "\x1b" not in shown and "\u202e" not in shown
    fence = re.search(r"^(`{3,})diff$", shown, re.MULTILINE)
    assert fence is not None and len(fence[1]) > 4
    inside = shown.split(fence[0], 1)[1].split(f"\n{fence[1]}\n", 1)[0]
    assert "@everyone" in inside and "<img" in inside
    assert "@everyone" not in shown.replace(inside, "")
    assert "x\\|y" in shown


def test_a_report_of_thousands_of_changes_fits_a_comment_and_says_what_it_left_out() -> None:
    many = [image("a" * 200, "b" * 200, f"model-{number}") for number in range(3000)]
    shown = markdown.render(report(*many, step("delete", NAMESPACE, "audio", old={})))
    assert len(shown) <= markdown.LIMIT
    assert "JSON beside this report" in shown
    # What a reviewer must not miss is there all the same.
    assert "Namespace `audio` would be deleted" in shown


def test_without_room_for_details_the_changed_properties_are_still_named() -> None:
    many = [image("a" * 200, "b" * 200, f"model-{number}") for number in range(200)]
    shown = markdown.render(report(*many))
    assert len(shown) <= markdown.LIMIT
    assert "`model-199`: `spec.template.spec.containers[0].image`" in shown


def test_a_failed_preview_says_so_and_why() -> None:
    failed = ChangeSet("dev", problems=(Problem("error", "no such image\nat line 2", "digits"),))
    shown = markdown.render(Report(failed, Verdict()))
    assert "the preview failed" in shown.splitlines()[1]
    assert "`digits`: `no such image`" in shown
    assert "at line 2" in shown
