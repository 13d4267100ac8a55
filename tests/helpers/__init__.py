"""What several tests share: commands, data, small models, a browser."""
