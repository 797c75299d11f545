"""Where flights come from: one file a source, the only home of raw column names; bad rows go to a report."""

# Here because the command line shows the names in its help, and should not load the readers for that.
SOURCES = ("scl", "nyc", "bts")
