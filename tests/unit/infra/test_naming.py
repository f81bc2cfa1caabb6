"""What names and labels promise."""

import re

import pytest

from infra import naming


def test_a_name_that_fits_stays_as_it_is() -> None:
    assert naming.fit("vision-digits", 13) == "vision-digits"


def test_a_name_that_is_cut_stays_within_its_limit_and_distinct() -> None:
    names = [f"{'a-very-long-name-' * 5}{index}" for index in range(100)]
    fitted = [naming.fit(name) for name in names]
    assert len(set(fitted)) == len(names)
    assert max(map(len, fitted)) == naming.LABEL_LIMIT


def test_a_cut_name_is_a_dns_label_wherever_it_is_cut() -> None:
    for limit in range(10, 30):
        assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", naming.fit("ab-" * 30, limit)), limit


def test_a_cut_name_is_the_same_in_every_run() -> None:
    assert naming.fit("a" * 70, 20) == "aaaaaaaaaaa-6bd5e503"


def test_a_limit_too_small_for_a_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="9 characters"):
        naming.fit("vision-digits", 9)


def test_a_selector_holds_only_labels_that_every_version_has() -> None:
    labels = naming.labels("model", "digits", "model")
    assert naming.selector("model", "digits").items() < labels.items()
    assert all(len(value) <= naming.LABEL_LIMIT for value in labels.values())
