"""A cluster, the platform on it, and the models it serves."""

import pulumi

from apps.serving.images import ServerImages
from apps.serving.model import Model, ModelArgs
from infra import clusters, settings
from infra.platform import Platform, PlatformArgs

config, artifacts, secrets = settings.load()
cluster = clusters.build(config.cluster, config.approve)
platform = Platform(
    "platform",
    PlatformArgs(
        cluster,
        config.platform,
        config.teams,
        secrets,
        config.hosts,
        config.scales_on_requests,
        config.scales_to_zero,
        config.promotes,
        config.mirrors,
    ),
    cluster.options,
).handle
images = ServerImages("server-images", cluster, config.workloads, cluster.options)
models = {
    name: Model(
        name,
        ModelArgs(model, artifacts, images, cluster, platform),
        cluster.options,
    )
    for name, model in config.models.items()
}
pulumi.export("endpoint", platform.address)
pulumi.export("ca", platform.ca)
pulumi.export("models", {name: model.exports for name, model in models.items()})
pulumi.export("cluster", dict(cluster.exports))
pulumi.export("kubeconfig", cluster.kubeconfig)
