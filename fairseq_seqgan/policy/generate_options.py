"""The options of ``fairseq-generate``: how many sequences, how long, with D's help or not."""

import copy
import logging
import math
from dataclasses import dataclass, field
from typing import Any, Optional

from fairseq import utils
from fairseq.data import Dictionary
from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.configs import GenerationConfig
from fairseq.models import BaseFairseqModel

from ..support import compat, option_values
from ..support.errors import InputError, flag
from .policy import banned_symbols
from .saved_model import Lengths, stored_lengths

logger = logging.getLogger(__name__)

# Options of fairseq's generation that change what a search finds.
_OF_A_SEARCH = (
    "min_len",
    "match_source_len",
    "no_repeat_ngram_size",
    "lenpen",
    "unkpen",
    "diverse_beam_groups",
    "diversity_rate",
    "constraints",
    "lm_path",
    "retain_dropout",
    "score_reference",
)


@dataclass
class GenerateConfig(FairseqDataclass):
    """Options of ``fairseq-generate``."""

    num_samples: int = field(default=0, metadata={"help": "fairseq-generate: samples to draw"})
    guide: int = field(
        default=1,
        metadata={
            "help": "fairseq-generate --sampling: K, candidates for each sample, of which the "
            "checkpoint's D keeps one; 1: D is not used"
        },
    )
    guide_scale: Optional[float] = field(  # noqa: UP045  (fairseq cannot read `float | None`)
        default=None,
        metadata={
            "help": "a, the factor of D's log-odds in the weights of the candidates; default: the "
            "slope that is stored with D"
        },
    )


def check_guide(options: GenerateConfig) -> None:
    """Check the options of sampling with D.

    Raises:
        InputError: names the option.
    """
    if options.guide < 1:
        raise InputError(f"--guide is {options.guide}: at least 1 candidate is needed")
    scale = options.guide_scale
    if scale is not None and not 0 <= scale < math.inf:
        raise InputError(f"--guide-scale is {scale}: it must be 0 or more")
    if scale is not None and options.guide == 1:
        raise InputError("--guide-scale needs --guide, 2 or more candidates")


def checkpoint_path(options: Any) -> str | None:
    """Return the one checkpoint that a command samples from; None outside a command.

    Args:
        options: the task's.

    Raises:
        InputError: there are several.
    """
    root = compat.root_config(options)
    path = root.common_eval.path if root is not None else None
    if path and len(utils.split_paths(path)) != 1:
        raise InputError("--path: sampling takes one checkpoint, not an ensemble")
    return path


def search_options(
    args: Any, dictionary: Dictionary, lengths: Lengths
) -> tuple[Any, tuple[str, ...]]:
    """Return fairseq's options for a search that only finds sequences that the policy can draw.

    Args:
        args: fairseq's options of generation; they are not changed.
        dictionary: the dictionary of the data.
        lengths: of the sequences (:func:`sample_lengths`).

    Returns:
        The changed options, and the words that the search has to suppress. The unknown word is not
        among these, because fairseq refuses it there; a penalty suppresses it.
    """
    unk = dictionary.unk()
    banned = [i for i in banned_symbols(dictionary, fixed_length=False) if i != unk]
    args = copy.copy(args)
    args.unkpen = 1e4
    args.max_len_a, args.max_len_b = 0, lengths.fixed or lengths.longest
    if lengths.fixed:
        args.min_len = lengths.fixed
    return args, tuple(dictionary[i] for i in banned)


def warn_of_whole_sentences() -> None:
    """Warn that a search continues sentences that are whole, and so finds hardly anything new."""
    logger.warning(
        "without --sampling, --prefix-size and --num-samples, the search continues whole sentences "
        "of the split, so what it returns begins with them and any BLEU says nothing; "
        "--prefix-size N continues their first N words"
    )


def sample_lengths(options: Any, generation: Any, model: BaseFairseqModel) -> Lengths:
    """Return how long samples are: as the task's *options* say, else as in the training.

    D knows no longer ones. fairseq's ``--max-len-b`` can make them shorter; where the checkpoint
    does not say how long they were, it decides.

    Raises:
        InputError: ``--max-len-a``, a factor of the source's length, is given, or ``--max-len-b``
            below a fixed length.
    """
    if generation.max_len_a:
        raise InputError("--max-len-a: a language model has no source; --max-len-b is a length")
    option_values.sequence_lengths(options)
    fixed, longest = options.fixed_length, options.max_length
    path = checkpoint_path(options)
    if not (fixed or longest) and path:
        fixed, longest = stored_lengths(path)
    given = generation.max_len_b != GenerationConfig.max_len_b  # fairseq always has a default
    if fixed and given and generation.max_len_b < fixed:
        raise InputError(
            f"--max-len-b {generation.max_len_b}: sequences have a fixed length of {fixed}"
        )
    if not longest:
        # A transformer has no positions for a longer sequence with its end symbol.
        longest = min(generation.max_len_b, model.max_positions() - 1)
    elif given:
        longest = min(longest, generation.max_len_b)
    return Lengths(fixed, longest)


def check_sampling(generation: Any) -> None:
    """Check that *generation*, fairseq's options, asks for nothing that sampling would not do.

    Raises:
        InputError: an option is that of a search, and would do nothing.
    """
    for name in _OF_A_SEARCH:
        default = getattr(GenerationConfig, name)
        if getattr(generation, name, default) != default:
            raise InputError(f"{flag(name)}: is for a search; --sampling draws from G as it is")
