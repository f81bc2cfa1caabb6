"""Ranges of addresses."""

import itertools
from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv4Network
from typing import Annotated

from pydantic import AfterValidator


def _cidr(value: str) -> str:
    try:
        network = IPv4Interface(value).network
    except ValueError:
        network = None
    if network is None or "/" not in value:
        raise ValueError(
            f"`{value}` is not a range of IPv4 addresses; write one like `10.0.0.0/16`"
        )
    if str(network) != value:
        raise ValueError(f"`{value}` is an address in its range; write `{network}`")
    return value


Cidr = Annotated[str, AfterValidator(_cidr)]
"""A range of IPv4 addresses (RFC 4632), written as its first address and the length of its prefix.
"""


def refuse_overlaps(ranges: Mapping[str, str]) -> None:
    """Refuse ranges that share addresses.

    Args:
        ranges: Ranges that `Cidr` has accepted, by the key that each is written under.

    Raises:
        ValueError: Two of them do; it names both keys.
    """
    for (one, first), (other, second) in itertools.combinations(ranges.items(), 2):
        if IPv4Network(first).overlaps(IPv4Network(second)):
            raise ValueError(
                f"`{one}: {first}` and `{other}: {second}` share addresses; give each a range of "
                "its own"
            )


def refuse_prefix(key: str, cidr: str, longest: int, shortest: int, why: str) -> None:
    """Refuse a range that is too small or too large.

    Args:
        key: The key that it is written under.
        cidr: A range that `Cidr` has accepted.
        longest: Longest prefix, of the smallest range.
        shortest: Shortest prefix, of the largest.
        why: What asks for that, as the end of a sentence.

    Raises:
        ValueError: Its prefix is outside of that.
    """
    length = IPv4Network(cidr).prefixlen
    if not shortest <= length <= longest:
        raise ValueError(
            f"`{key}: {cidr}` has a prefix of {length} bits; write one of {shortest} to {longest}, "
            f"{why}"
        )
