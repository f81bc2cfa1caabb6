"""What a change of a stack means, for the person who reviews it.

`model` reads the engine's preview, `meaning` says what a change does to data and to traffic,
`capacity` and `traffic` compare before and after, `guard` decides what needs an approval, and
`markdown` and `document` write it all down. None of them runs the engine.
"""
