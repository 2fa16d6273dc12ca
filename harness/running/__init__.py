"""Running a claim: the harness that its body is given, its row, its design, more seeds, and the search of its scope."""
