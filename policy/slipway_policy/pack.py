"""The rules as a policy pack of Pulumi: the only module that needs its SDK of policies."""

import functools

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from slipway_policy.rule import Resource, Rule
from slipway_policy.rules import RULES, broken


def start() -> None:
    """Answer the engine until it ends; each rule is mandatory."""
    PolicyPack(
        name="slipway",
        enforcement_level=EnforcementLevel.MANDATORY,
        policies=[
            ResourceValidationPolicy(
                name=rule.name,
                description=rule.description,
                validate=functools.partial(_validate, rule),
            )
            for rule in RULES
        ],
    )


def _validate(rule: Rule, args: ResourceValidationArgs, report: ReportViolation) -> None:
    resource = Resource(args.resource_type, args.name, args.props)
    for violation in broken(rule, resource):
        report(violation, None)
