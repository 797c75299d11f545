"""From departures to an artefact: split, fit, calibrate, evaluate. Learners are imported inside the functions."""
