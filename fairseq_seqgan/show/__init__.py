"""How samples look and sound to people: sentences, poems and tunes."""
