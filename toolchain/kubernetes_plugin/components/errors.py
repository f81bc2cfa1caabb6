"""What a component can fail with."""


class ComponentError(Exception):
    """A component that cannot be made; one line for a person, naming the input and the way out."""
