"""Algorithm 1 of the paper: when which net is trained, and on what."""
