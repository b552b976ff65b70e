"""The peer of inference: ConvSCCS of tick 0.8.0.2, in an environment of its own."""
