"""Where flights come from: one file a source, the only home of raw column names; bad rows go to a report."""
