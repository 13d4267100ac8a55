"""A trained generator from Python, without a command: ``SeqGAN.from_pretrained(CK).sample(10)``."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from fairseq.data import Dictionary
from fairseq.data.encoders.sentencepiece_bpe import SentencepieceBPE, SentencepieceConfig
from fairseq.models import FairseqLanguageModel

from .criterions.saved_discriminator import SavedDiscriminator, guide_from, load_discriminator
from .policy.fairseq_generate import SequenceSampler
from .policy.generate_options import GenerateConfig, check_guide
from .policy.guided import Guide
from .policy.policy import Policy, banned_symbols
from .policy.saved_model import (
    about_trained_at,
    load_language_model,
    stored_temperature,
    trained_on,
)
from .support import input_checks
from .support.binarized_data import PIECES_MODEL
from .support.errors import InputError, first_line
from .support.eval_mode import eval_mode

logger = logging.getLogger(__name__)

_AT_A_TIME = 1024  # sequences; what is drawn does not depend on it


class SeqGAN:
    """A generator, and the discriminator that was stored with it.

    Args:
        model: the generator.
        dictionary: its words.
        checkpoint: the file that the discriminator is read from when it is asked for.
        fixed_length: T, if every sequence has T tokens and no end symbol; else 0.
        max_length: if not fixed: the most tokens of a sequence.
        pieces: splits words into the pieces that the dictionary holds, and joins them again; None:
            it holds words.
        trained_temperature: at which adversarial training drew its samples.
    """

    def __init__(
        self,
        model: FairseqLanguageModel,
        dictionary: Dictionary,
        checkpoint: Path,
        *,
        fixed_length: int = 0,
        max_length: int = 200,
        pieces: SentencepieceBPE | None = None,
        trained_temperature: float = 1.0,
    ) -> None:
        self.model, self.dictionary, self.checkpoint = model, dictionary, checkpoint
        self.fixed_length, self.max_length, self.pieces = fixed_length, max_length, pieces
        self.trained_temperature = trained_temperature
        self._discriminator: SavedDiscriminator | None = None  # read at its first use, then kept

    @classmethod
    def from_pretrained(
        cls,
        checkpoint: str | Path,
        data: str | Path | None = None,
        *,
        device: torch.device | str = "cpu",
    ) -> SeqGAN:
        """Return the generator in *checkpoint*, any fairseq language model with a decoder.

        Args:
            data: the folder with ``dict.txt`` and, where words were split into pieces,
                ``sentencepiece.model``; default: the one that it was trained on.

        Raises:
            InputError: a file is missing or damaged, or they do not fit each other.
        """
        path = Path(checkpoint)
        data = trained_on(path)[0] if data is None else str(data)
        input_checks.data_folder(data)
        folder = Path(data.split(":")[0])  # of several shards, all have the same dictionary
        dictionary = Dictionary.load(str(folder / "dict.txt"))
        model, options = load_language_model(path, folder, dictionary)
        return cls(
            model.to(device).eval(),
            dictionary,
            path.absolute(),
            fixed_length=options.get("fixed_length") or 0,
            # As fairseq-generate has it: --max-len-b is 200, and a transformer has its positions.
            max_length=options.get("max_length") or min(200, model.max_positions() - 1),
            pieces=_read_pieces(folder / PIECES_MODEL),
            trained_temperature=stored_temperature(str(path)),
        )

    def sample(
        self,
        num: int,
        *,
        prompt: str = "",
        temperature: float = 1.0,
        top_k: int = -1,
        top_p: float = -1.0,
        guide: int = 1,
        guide_scale: float | None = None,
        seed: int = 1,
    ) -> list[str]:
        """Return *num* sequences of words with spaces between them, as ``fairseq-generate`` does.

        Where the dictionary holds pieces of words, they are joined to text.

        Args:
            prompt: words, or text, that every sequence begins with.
            top_k, top_p: draw among the most likely words only.
            guide: K, candidates for each sequence, of which the discriminator keeps one.
            guide_scale: a, the factor of its log-odds; default: the slope in the checkpoint.

        Raises:
            InputError: an argument is out of range, a word of *prompt* is not in the dictionary, or
                the checkpoint holds no discriminator.
        """
        if num < 1:
            raise InputError(f"num is {num}: at least 1 sample is needed")
        policy = Policy(
            self.model,
            self.dictionary,
            fixed_length=self.fixed_length,
            max_length=self.max_length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        if (told := about_trained_at(self.trained_temperature, temperature)) is not None:
            logger.warning(told)
        chooser = self._guide(guide, guide_scale)
        sampler = SequenceSampler(policy, 1, seed, guide=chooser)
        first = torch.tensor([policy.start, *self._encode(prompt)], device=policy.device)
        found: list[str] = []
        with eval_mode(self.model), torch.no_grad():
            for begin in range(0, num, _AT_A_TIME):
                rows = first.expand(min(_AT_A_TIME, num - begin), -1)
                drawn = sampler.generate([self.model], {"net_input": {"src_tokens": rows}})
                found += [self.dictionary.string(best["tokens"]) for (best,) in drawn]
        sampler.report()
        return found if self.pieces is None else [self.pieces.decode(text) for text in found]

    def _guide(self, candidates: int, scale: float | None) -> Guide | None:
        """Return what chooses among the candidates; None: nothing does."""
        check_guide(GenerateConfig(guide=candidates, guide_scale=scale))
        if candidates == 1:
            return None
        if self._discriminator is None:
            device = next(self.model.parameters()).device
            found = load_discriminator(str(self.checkpoint), self.dictionary, device)
            self._discriminator = found
        return guide_from(self._discriminator, str(self.checkpoint), candidates, scale)

    def _encode(self, prompt: str) -> list[int]:
        """Return the ids of the words of *prompt*."""
        words = (prompt if self.pieces is None else self.pieces.encode(prompt)).split()
        unknown = [word for word in words if word not in self.dictionary.indices]
        if unknown:
            raise InputError(f"prompt: '{unknown[0]}' is not in the dictionary")
        found = [self.dictionary.indices[word] for word in words]
        special = {self.dictionary.eos(), *banned_symbols(self.dictionary, fixed_length=False)}
        for word, symbol in zip(words, found, strict=True):
            if symbol in special:
                raise InputError(f"prompt: '{word}' is a special symbol, not a word")
        return found


def _read_pieces(path: Path) -> SentencepieceBPE | None:
    """Load the sentencepiece model *path*; return None if there is no such file.

    Raises:
        InputError: it cannot be read.
    """
    if not path.is_file():
        return None
    try:
        return SentencepieceBPE(SentencepieceConfig(sentencepiece_model=str(path)))
    except (ImportError, OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: cannot be read by sentencepiece ({first_line(error)})"
        ) from error
