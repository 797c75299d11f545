"""The model at rest and in use: a folder of data with a manifest, checked before it is believed."""
