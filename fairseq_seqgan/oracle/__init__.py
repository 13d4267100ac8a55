"""The oracle LSTM of the synthetic experiments, and its files."""
