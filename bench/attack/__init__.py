"""`make attack`: what the edge blocks of an attack corpus, what it lets through of real-looking requests, and whether
anything of it changes the SQL that is run."""
