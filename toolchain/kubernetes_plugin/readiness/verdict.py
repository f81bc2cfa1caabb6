"""What a status function can say about an object."""

from dataclasses import dataclass, field

from toolchain.kubernetes_plugin.readiness.fields import Document


@dataclass(frozen=True)
class Ready:
    """The object is there to be used.

    Attributes:
        message: What was reached, for a person; may be empty.
    """

    message: str = ""


@dataclass(frozen=True)
class Pending:
    """The object is on its way.

    Attributes:
        message: What is waited for, for a person.
        settles_after: Seconds after which the object counts as ready although this is all that can
            be seen of it, provided nothing changed meanwhile; `None` means never.
        fails_after: Seconds after which it counts as failed, under the same condition.
        looks_again_after: Seconds after which another look shows more, although nothing of the
            object itself changes; `None` means that its next change does.
    """

    message: str
    settles_after: float | None = None
    fails_after: float | None = None
    looks_again_after: float | None = None


@dataclass(frozen=True)
class Failed:
    """The object cannot become ready any more without a change to it.

    Attributes:
        message: Why, for a person.
    """

    message: str


Verdict = Ready | Pending | Failed


@dataclass(frozen=True)
class Related:
    """Objects that decide, together with the object itself, whether it is ready.

    Only what the object's kind asks for is filled; see `rules.Rule.related`.

    Attributes:
        endpoint_slices: EndpointSlices of the object's namespace.
        services: Services of the object's namespace.
        storage_class: The StorageClass that a claim names.
        quotas: ResourceQuotas of the namespace of a Deployment whose pods are refused.
        unserved: Of the `apiVersion`s that an established definition of a kind serves, those that
            the API server does not list yet.
    """

    endpoint_slices: tuple[Document, ...] = field(default=())
    services: tuple[Document, ...] = field(default=())
    storage_class: Document | None = None
    quotas: tuple[Document, ...] = field(default=())
    unserved: tuple[str, ...] = field(default=())


NOTHING_RELATED = Related()
