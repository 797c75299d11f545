"""The families of models that the scorecard is compared with, one small file each."""
