"""``gru_lm``: fairseq's ``lstm_lm`` with gated recurrent units as its cells.

"Most of the RNN variants, such as the gated recurrent unit (GRU) (Cho et al. 2014) and soft
attention mechanism [...], can be used as a generator in SeqGAN" (section "The Generative Model for
Sequences"). fairseq has no language model of GRUs.

Shapes: B sequences, C input features, H hidden units.
"""

from argparse import Namespace

from fairseq.models import register_model, register_model_architecture
from fairseq.models.lstm_lm import LSTMLanguageModel, base_architecture
from fairseq.tasks import FairseqTask
from torch import Tensor, nn


class GRUCell(nn.GRUCell):
    """A GRU with the interface of an LSTM cell, which fairseq's decoder calls.

    Its weights are initialised as fairseq initialises those of an LSTM.
    """

    def reset_parameters(self) -> None:
        """Draw the weights uniformly from [-0.1, 0.1)."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)

    def forward(self, features: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the next state from *features* (B, C) and a *state* of two tensors (B, H).

        The second tensor is the memory that an LSTM has and a GRU does not; it stays 0.
        """
        hidden, unused = state
        return super().forward(features, hidden), unused


@register_model("gru_lm")
class GRULanguageModel(LSTMLanguageModel):
    """A language model of GRUs, with the options of ``lstm_lm``."""

    @classmethod
    def build_model(cls, args: Namespace, task: FairseqTask) -> "GRULanguageModel":
        """Build the model for the dictionary of *task* (fairseq's registry calls this)."""
        model = super().build_model(args, task)
        model.decoder.layers = nn.ModuleList(
            GRUCell(cell.input_size, cell.hidden_size) for cell in model.decoder.layers
        )
        return model


@register_model_architecture("gru_lm", "gru_lm")
def gru_lm(args: Namespace) -> None:
    """Set the options that are not given, as for ``lstm_lm``."""
    base_architecture(args)
