"""Starts the policy pack, which the engine asks about each resource: docs/policy.md."""

from slipway_policy import pack

pack.start()
