"""The verbs: each module says what its verb takes (`describe`) and does it (`run`)."""
