"""The root: where everything is kept, how it is committed and how one knows that it is still the same. Stdlib only."""
