"""Fixtures of the machine plug-in's tests."""

from tests.unit.machine_plugin.machine import machine

__all__ = ["machine"]
