"""What a stack on Amazon EKS has and misses, as the AWS CLI tells it.

The forms of the answers are those of https://docs.aws.amazon.com/cli/latest/reference/.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Final

from pydantic import ConfigDict
from pydantic.alias_generators import to_pascal

from infra.settings import EksClusterSettings
from infra.settings.cluster.eks import (
    EXTENDED_SUPPORT,
    STANDARD_SUPPORT,
    EksPoolSettings,
    category,
    vcpus,
)
from toolchain.doctor import support
from toolchain.doctor.asking import Ask, Reply, UnansweredError, attempt, parsed, together
from toolchain.doctor.finding import Finding, unchecked
from toolchain.doctor.programs_on_path import on_path
from toolchain.doctor.quotas import Demand, Demands, Quota, judge

# https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html: vCPUs of running
# instances of these categories, on demand and spot.
_STANDARD: Final = ("L-1216C47A", "L-34B43A08")
_CODES: Final = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "m", "r", "t", "z"), _STANDARD),
    "g": ("L-DB2E81BA", "L-3819A6DF"),
    "p": ("L-417A185B", "L-7212CCBC"),
    "x": ("L-7295265B", "L-E3A00192"),
}


class _Reply(Reply):
    model_config = ConfigDict(alias_generator=to_pascal)


class _Identity(_Reply):
    account: str
    arn: str


class _Zone(_Reply):
    zone_name: str
    state: str


class _Zones(_Reply):
    availability_zones: list[_Zone]


class _Offering(_Reply):
    instance_type: str
    location: str


class _Offerings(_Reply):
    instance_type_offerings: list[_Offering]


class _QuotaValue(_Reply):
    quota_name: str
    value: float


class _QuotaReply(_Reply):
    quota: _QuotaValue


def findings(settings: EksClusterSettings, ask: Ask, today: date) -> list[Finding]:
    """Judge the stack.

    Args:
        settings: Its cluster.
        ask: Runs the AWS CLI.
        today: Of which day.
    """
    known = [
        on_path(
            "aws",
            "the kubeconfig asks it for tokens",
            "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
        ),
        _version(settings, today),
        Finding(
            "ok", f"addresses: vpcCidr {settings.vpc_cidr}, serviceCidr {settings.service_cidr}"
        ),
        unchecked("addresses", "nobody tells which ranges your other networks have"),
    ]
    rest = "region, zones, types of instances and quotas"
    # Without a region the AWS CLI asks nobody, where none is configured.
    where = ("--region", settings.region, "--output", "json")
    identity = attempt(
        partial(parsed, ask, ["aws", "sts", "get-caller-identity", *where], _Identity)
    )
    if isinstance(identity, UnansweredError):
        if identity.refused:
            known.append(
                Finding(
                    "missing", f"credentials: {identity}; run `aws configure` or `aws sso login`"
                )
            )
            return [*known, unchecked(rest, "AWS has to know who asks")]
        return [*known, unchecked(f"credentials, {rest}", str(identity))]
    known += _who(settings, identity)
    if identity.account != settings.account:
        return [*known, unchecked(rest, "they would be another account's")]
    return [*known, *_in_the_region(settings, ask, where)]


def _version(settings: EksClusterSettings, today: date) -> Finding:
    name = settings.version
    standard, extended = STANDARD_SUPPORT.get(name), EXTENDED_SUPPORT.get(name)
    ends = {
        **({"standard support": standard} if standard else {}),
        **({"extended support": extended} if extended else {}),
    }
    return support.version(name, ends, today, "choose a newer `version`")


def _who(settings: EksClusterSettings, identity: _Identity) -> list[Finding]:
    if identity.account != settings.account:
        return [
            Finding(
                "missing",
                f"credentials: they are of the account {identity.account}, and the stack is of "
                f"{settings.account}: choose others (AWS_PROFILE), or correct `account`",
            )
        ]
    found = [Finding("ok", f"credentials: {identity.arn}")]
    # arn:aws:sts::<account>:assumed-role/<role>/<session> leaves the path of the role out.
    kind, _, path = identity.arn.rpartition(":")[2].partition("/")
    name = path.partition("/")[0] if kind == "assumed-role" else path.rpartition("/")[2]
    if name not in {admin.rpartition("/")[2] for admin in settings.admins}:
        found.append(
            Finding("missing", f"`admins` does not name {name}, which runs Pulumi now: add its ARN")
        )
    return found


def _in_the_region(settings: EksClusterSettings, ask: Ask, where: Sequence[str]) -> list[Finding]:
    demands, untold = _demands(settings)
    types = dict.fromkeys(kind for pool in settings.pools.values() for kind in pool.instance_types)
    offerings = (
        *("aws", "ec2", "describe-instance-type-offerings"),
        *("--location-type", "availability-zone"),
        *("--filters", f"Name=instance-type,Values={','.join(types)}", *where),
    )
    questions: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("zones", partial(_zones, settings, ask, where)),
        ("types of instances", partial(_offered, settings, ask, offerings)),
        *(
            (
                f"quota of the nodes of {', '.join(demand.pools)}",
                partial(_quota, demand, ask, where, code),
            )
            for code, demand in demands.items()
        ),
    ]
    answers = together([question for _, question in questions])
    found = list(untold)
    for (title, _), answer in zip(questions, answers, strict=True):
        if isinstance(answer, UnansweredError):
            found.append(unchecked(title, str(answer)))
        else:
            found += answer
    return found


def _zones(settings: EksClusterSettings, ask: Ask, where: Sequence[str]) -> list[Finding]:
    answer = parsed(ask, ["aws", "ec2", "describe-availability-zones", *where], _Zones)
    states = {zone.zone_name: zone.state for zone in answer.availability_zones}
    wrong = [name for name in settings.zone_names if states.get(name) != "available"]
    if not wrong:
        return [Finding("ok", f"zones: {', '.join(settings.zone_names)}")]
    there = ", ".join(sorted(name for name, state in states.items() if state == "available"))
    return [
        Finding(
            "missing",
            f"`zones`: {', '.join(wrong)} cannot be used by this account; choose from {there}",
        )
    ]


def _offered(settings: EksClusterSettings, ask: Ask, command: Sequence[str]) -> list[Finding]:
    offers = parsed(ask, command, _Offerings).instance_type_offerings
    found = []
    for name, pool in settings.pools.items():
        zones = {one.location for one in offers if one.instance_type in pool.instance_types}
        lacking = [zone for zone in settings.zone_names if zone not in zones]
        if len(lacking) == len(settings.zones):
            found.append(
                Finding(
                    "missing",
                    f"`pools.{name}`: no zone of the stack has any of "
                    f"{', '.join(pool.instance_types)}; choose other `instanceTypes` or `zones`",
                )
            )
        elif lacking:
            found.append(
                Finding("note", f"`pools.{name}`: {', '.join(lacking)} has none of its types")
            )
    return found or [Finding("ok", "types of instances: every zone has some of every pool")]


def _quota(demand: Demand, ask: Ask, where: Sequence[str], code: str) -> list[Finding]:
    command = ["aws", "service-quotas", "get-service-quota", "--service-code", "ec2"]
    value = parsed(ask, [*command, "--quota-code", code, *where], _QuotaReply).quota
    way_out = (
        "ask for more with `aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {code} --region {where[1]} --desired-value <vCPUs>`"
    )
    # What runs already, the command does not tell.
    return [judge(value.quota_name, "vCPUs", demand, Quota(int(value.value)), way_out)]


def _demands(settings: EksClusterSettings) -> tuple[Demands, list[Finding]]:
    """Return the vCPUs that pools ask for by the code of the quota, and what has none."""
    demands, untold = Demands(), []
    for name, pool in settings.pools.items():
        categories = dict.fromkeys(map(category, pool.instance_types))
        for one in categories:
            if one not in _CODES:
                reason = f"the project does not know which quota counts instances of `{one}`"
                untold.append(unchecked(f"quota of the nodes of {name}", reason))
        codes = [_CODES.get(one) for one in categories]
        # A pool with types of several quotas needs none of them in particular.
        least = _least(pool) if len(set(codes)) == 1 else 0
        for on_demand, spot in dict.fromkeys(code for code in codes if code):
            largest = max(
                vcpus(kind)
                for kind in pool.instance_types
                if _CODES.get(category(kind)) == (on_demand, spot)
            )
            demands[spot if pool.spot else on_demand].add(name, least, pool.max * largest)
            if pool.fallback is not None:
                demands[on_demand].add(name, 0, pool.fallback * largest)
    return demands, untold


def _least(pool: EksPoolSettings) -> int:
    return max(pool.min, 1) * min(map(vcpus, pool.instance_types))
