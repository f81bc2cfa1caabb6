"""A cluster, the platform on it, and the models it serves."""

import pulumi

from apps.serving.model import Model, ModelArgs, ServerImages
from infra import clusters, settings
from infra.platform import Platform, PlatformArgs

config, files = settings.load()
cluster = clusters.build(config.cluster)
platform = Platform(
    "platform", PlatformArgs(cluster, config.platform, config.teams), cluster.options
).handle
images = ServerImages("server-images", cluster, config.formats, cluster.options).by_format
models = {
    name: Model(
        name,
        ModelArgs(model, files[name], images[model.format], cluster, platform),
        cluster.options,
    )
    for name, model in config.models.items()
}
pulumi.export("endpoint", platform.address)
pulumi.export("models", {name: model.exports for name, model in models.items()})
pulumi.export("cluster", dict(cluster.exports))
pulumi.export("kubeconfig", cluster.kubeconfig)
