"""The plug-in `slipway`: resources that are made on the machine that runs Pulumi.

`infra.machine` declares them; the engine starts `pulumi-resource-slipway` beside this file.
"""
