"""Tables to claims: reads a study's tables, never the engine."""
