"""Rules for the resources of a stack, as pure functions, and the policy pack that they make."""
