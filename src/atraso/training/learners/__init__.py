"""The learners behind the scorecard, each an additive model written as a table: stumps, splines, boosting machine."""
