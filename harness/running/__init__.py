"""A claim run: the harness that its body is given, its row, and the same claim asked, grown and searched."""
