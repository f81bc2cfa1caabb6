"""What every plug-in of the engine here needs, whatever it provides."""
