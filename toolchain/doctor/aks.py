"""What a stack on AKS has and misses, as the Azure CLI tells it.

The forms of the answers are those of https://learn.microsoft.com/cli/azure/account#az-account-show,
https://learn.microsoft.com/cli/azure/vm#az-vm-list-usage and
https://learn.microsoft.com/rest/api/compute/resource-skus/list.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any, Final

from infra.settings import AksClusterSettings
from infra.settings.cluster.aks import CALENDAR, SYSTEM_POOL, VERSIONS
from infra.settings.cluster.azure import VmSize
from toolchain.doctor import support
from toolchain.doctor.asking import Ask, Reply, UnansweredError, attempt, parsed, together
from toolchain.doctor.finding import Finding, unchecked
from toolchain.doctor.programs_on_path import on_path
from toolchain.doctor.quotas import Demands, Quota, judge, read

_ALL: Final = "cores"
_SPOT: Final = "lowPriorityCores"
"""Quotas of a region that no family of sizes has for itself."""

_OTHER_LOGIN: Final = "AAD_LOGIN_METHOD"
"""Has kubelogin get tokens without the Azure CLI (docs/aks.md)."""


class _Account(Reply):
    id: str
    tenant_id: str


class _Name(Reply):
    value: str


class _Usage(Reply):
    name: _Name
    current_value: int
    limit: int


class _Location(Reply):
    zones: list[str] | None = None


class _RestrictionInfo(Reply):
    zones: list[str] | None = None


class _Restriction(Reply):
    type: str
    reason_code: str
    restriction_info: _RestrictionInfo | None = None


class _Sku(Reply):
    name: str
    family: str
    location_info: list[_Location]
    restrictions: tuple[_Restriction, ...] = ()

    @property
    def zones(self) -> set[str]:
        """Zones where this subscription can have it."""
        zones = {zone for location in self.location_info for zone in location.zones or []}
        for one in self.restrictions:
            if one.type == "Zone" and one.restriction_info is not None:
                zones -= set(one.restriction_info.zones or [])
        return zones

    @property
    def refused(self) -> str | None:
        """Why this subscription cannot have it anywhere in the region."""
        return next((one.reason_code for one in self.restrictions if one.type == "Location"), None)


def findings(settings: AksClusterSettings, ask: Ask, today: date) -> list[Finding]:
    """Judge the stack.

    Args:
        settings: Its cluster.
        ask: Runs the Azure CLI.
        today: Of which day.
    """
    network = settings.network
    elsewhere = bool(os.environ.get(_OTHER_LOGIN))
    known = [
        on_path(
            "kubelogin",
            "the kubeconfig asks it for tokens",
            "https://azure.github.io/kubelogin/install.html",
        ),
        on_path(
            "az",
            f"kubelogin asks it for tokens unless {_OTHER_LOGIN} is set",
            "https://learn.microsoft.com/cli/azure/install-azure-cli",
            "note" if elsewhere else "missing",
        ),
        _version(settings, today),
        Finding(
            "ok",
            f"addresses: network.cidr {network.cidr}, nodes {network.nodes} in it, pods "
            f"{network.pods}, services {network.services}",
        ),
        unchecked("addresses", "nobody tells which ranges your other networks have"),
    ]
    rest = "region, zones, sizes and quotas"
    account = attempt(partial(parsed, ask, _command(settings, "account", "show"), _Account))
    if isinstance(account, UnansweredError):
        if account.refused and not elsewhere:
            known.append(
                Finding(
                    "missing",
                    f"credentials: {account}; run `az login --tenant {settings.tenant_id}`, as "
                    "somebody who may use the subscription",
                )
            )
            return [*known, unchecked(rest, "Azure has to know who asks")]
        return [*known, unchecked(f"credentials, {rest}", str(account))]
    if account.tenant_id.lower() != settings.tenant_id:
        problem = (
            f"`tenantId`: the subscription is of the tenant {account.tenant_id}: correct it, or "
            "`subscriptionId`"
        )
        return [*known, Finding("missing", problem), unchecked(rest, "the tenant is another one")]
    known.append(Finding("ok", f"credentials: the subscription {account.id} is logged in to"))
    return [*known, *_in_the_region(settings, ask)]


def _command(settings: AksClusterSettings, *words: str) -> list[str]:
    given = ("--subscription", settings.subscription_id, "--output", "json", "--only-show-errors")
    return ["az", *words, *given]


def _version(settings: AksClusterSettings, today: date) -> Finding:
    community, long = VERSIONS[settings.version]
    ends = {"community support": community}
    if settings.long_term_support:
        ends = {"long-term support": long}
    found = support.version(settings.version, ends, today, "choose a newer `version`")
    return Finding(found.level, f"{found.text} (calendar of {CALENDAR})")


def _in_the_region(settings: AksClusterSettings, ask: Ask) -> list[Finding]:
    where = ("--location", settings.location)
    usage_command = _command(settings, "vm", "list-usage", *where)
    sku_command = _command(
        settings, "vm", "list-skus", *where, "--resource-type", "virtualMachines", "--all"
    )
    questions: Sequence[Any] = (
        partial(parsed, ask, usage_command, list[_Usage]),
        partial(parsed, ask, sku_command, list[_Sku]),
    )
    usage, answer = together(questions)
    found: list[Finding] = []
    skus: dict[str, _Sku] = {}
    if isinstance(answer, UnansweredError):
        found.append(unchecked("zones, sizes and the quotas of their families", str(answer)))
    else:
        skus = {sku.name: sku for sku in answer}
        found += _offered(settings, skus)
    if isinstance(usage, UnansweredError):
        return [*found, unchecked("quotas", str(usage))]
    quotas = read((one.name.value, Quota(one.limit, one.current_value)) for one in usage)
    for name, demand in _demands(settings, skus).items():
        quota = quotas.get(name.lower())
        if quota is None:
            title = f"quota `{name}` of the nodes of {', '.join(demand.pools)}"
            found.append(unchecked(title, "`az vm list-usage` does not have it"))
        else:
            found.append(
                judge(
                    name,
                    "vCPUs",
                    demand,
                    quota,
                    "ask for more (https://learn.microsoft.com/azure/quotas/per-vm-quota-requests)",
                )
            )
    return found


def _sizes(settings: AksClusterSettings) -> Iterator[tuple[str, str]]:
    """Return pools with the key that names their size, and that size."""
    yield "systemPool", settings.system_pool.vm_size
    for name, pool in settings.pools.items():
        yield f"pools.{name}", pool.vm_size


def _offered(settings: AksClusterSettings, skus: dict[str, _Sku]) -> list[Finding]:
    found = []
    for key, size in _sizes(settings):
        sku = skus.get(size)
        reason = "it is not sold there" if sku is None else sku.refused
        if sku is None or reason:
            problem = f"`{key}`: {settings.location} has no {size} for this subscription"
            found.append(Finding("missing", f"{problem} ({reason}); choose another `vmSize`"))
            continue
        lacking = [zone for zone in settings.zones if zone not in sku.zones]
        if lacking:
            there = ", ".join(sorted(sku.zones)) or "none"
            found.append(
                Finding(
                    "missing",
                    f"`{key}`: {size} is not in the zones {', '.join(lacking)} of "
                    f"{settings.location} for this subscription (in: {there}); choose other "
                    "`zones`, or another `vmSize`",
                )
            )
    zones = f"zones {', '.join(settings.zones)}" if settings.zones else "no zones"
    return found or [Finding("ok", f"region: {settings.location}, {zones}, with every pool's size")]


def _demands(settings: AksClusterSettings, skus: dict[str, _Sku]) -> Demands:
    """Return the vCPUs that pools ask for by the name of the quota."""
    demands = Demands()

    def count(pool: str, size: str, least: int, most: int) -> None:
        cores = VmSize.parse(size).vcpus
        names = [_ALL, *([skus[size].family] if size in skus else [])]
        for name in names:
            demands[name].add(pool, least * cores, most * cores)

    system = settings.system_pool
    count(SYSTEM_POOL, system.vm_size, system.min, system.max)
    for name, pool in settings.pools.items():
        least = max(pool.min, 1)
        if pool.spot:
            cores = pool.size.vcpus
            demands[_SPOT].add(name, least * cores, pool.max * cores)
            count(name, pool.vm_size, 0, pool.fallback or 0)
        else:
            count(name, pool.vm_size, least, pool.max)
    return demands
