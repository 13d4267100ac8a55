"""``lstm_attention_lm``: fairseq's ``lstm_lm`` with soft attention to its own earlier outputs.

The paper names soft attention (Bahdanau et al., 2014) among the variants that can be a generator.
fairseq's ``lstm_lm`` has an option for it, but builds none: its attention reads an encoder. Here
the LSTM's output h_t attends to h_1 ... h_t:

    score(t, s) = h_t · W h_s / √C        for s ≤ t
    c_t = Σ_s softmax_s(score(t, s)) h_s
    output_t = tanh(U [h_t; c_t])

Shapes: B sequences, T new input positions, S positions in all, C features.
"""

from argparse import Namespace
from typing import Any

import torch
from fairseq.models import register_model, register_model_architecture
from fairseq.models.lstm import LSTMDecoder
from fairseq.models.lstm_lm import LSTMLanguageModel, base_architecture
from fairseq.tasks import FairseqTask
from torch import Tensor, nn

State = dict[str, dict[str, Tensor | None]]
_OUTPUTS = "outputs"


class AttentionLSTMDecoder(LSTMDecoder):
    """An LSTM whose outputs attend to all outputs until then.

    Args:
        options: those of fairseq's decoder, which has no attention of its own.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        own = self.hidden_size if self.adaptive_softmax is not None else options["out_embed_dim"]
        self.attend = nn.Linear(own, own, bias=False)
        self.combine = nn.Linear(2 * own, own)

    def extract_features(
        self,
        prev_output_tokens: Tensor,
        encoder_out: None = None,
        incremental_state: State | None = None,
    ) -> tuple[Tensor, None]:
        """Return features (B, T, C) of *prev_output_tokens* and None.

        With an *incremental_state*, T is 1 after the first call.
        """
        # It must come first: it takes an empty state as the sign that this is the first call.
        outputs, _ = super().extract_features(prev_output_tokens, encoder_out, incremental_state)
        past = self.get_incremental_state(incremental_state, _OUTPUTS)
        known = outputs if past is None else torch.cat([past[_OUTPUTS], outputs], dim=1)
        self.set_incremental_state(incremental_state, _OUTPUTS, {_OUTPUTS: known})
        features = torch.cat([outputs, self._context(outputs, known)], dim=2)
        return self.dropout_out_module(torch.tanh(self.combine(features))), None

    def _context(self, outputs: Tensor, known: Tensor) -> Tensor:
        """Return c (B, T, C) for *outputs* (B, T, C), the last T of the S that are *known*."""
        scores = outputs @ self.attend(known).transpose(1, 2) / outputs.size(2) ** 0.5
        length, total = scores.shape[1:]
        later = torch.ones(length, total, dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(later.triu(1 + total - length), -torch.inf)
        return scores.softmax(dim=2) @ known

    def reorder_incremental_state(self, incremental_state: State | None, new_order: Tensor) -> None:
        """Select the rows *new_order* of the state."""
        super().reorder_incremental_state(incremental_state, new_order)
        past = self.get_incremental_state(incremental_state, _OUTPUTS)
        if past is not None:
            chosen = past[_OUTPUTS].index_select(0, new_order)
            self.set_incremental_state(incremental_state, _OUTPUTS, {_OUTPUTS: chosen})


@register_model("lstm_attention_lm")
class AttentionLSTMLanguageModel(LSTMLanguageModel):
    """An LSTM language model with attention, with the options of ``lstm_lm``."""

    @classmethod
    def build_model(cls, args: Namespace, task: FairseqTask) -> "AttentionLSTMLanguageModel":
        """Build the model for the dictionary of *task* (fairseq's registry calls this)."""
        plain = super().build_model(args, task).decoder  # checks the options, reads embeddings
        adaptive = plain.adaptive_softmax
        decoder = AttentionLSTMDecoder(
            dictionary=task.dictionary,
            embed_dim=args.decoder_embed_dim,
            hidden_size=args.decoder_hidden_size,
            out_embed_dim=args.decoder_out_embed_dim,
            num_layers=args.decoder_layers,
            dropout_in=args.decoder_dropout_in,
            dropout_out=args.decoder_dropout_out,
            attention=False,
            encoder_output_units=0,
            pretrained_embed=plain.embed_tokens,
            share_input_output_embed=args.share_decoder_input_output_embed,
            adaptive_softmax_cutoff=None if adaptive is None else list(adaptive.cutoff),
            max_target_positions=plain.max_target_positions,
            residuals=args.residuals,
        )
        return cls(decoder)


@register_model_architecture("lstm_attention_lm", "lstm_attention_lm")
def lstm_attention_lm(args: Namespace) -> None:
    """Set the options that are not given, as for ``lstm_lm``."""
    base_architecture(args)
