"""Workarounds for what fairseq makes of a command line."""

import argparse
import functools
import sys
from typing import Any

from fairseq import options

from .errors import InputError
from .option_values import MOST_SEED


def correct_options() -> None:
    """Correct what fairseq concludes from a command line, and refuse what it would not survive.

    A missing ``--arch`` is an error without a word. ``--bf16`` switches fairseq to TPUs, which
    takes a package that nobody without a TPU has; GPUs and CPUs compute in bfloat16 as well. With
    a seed that numpy does not take it ends with a traceback before it asks a task for anything.
    ``--sampling`` with another ``--nbest`` than ``--beam`` ends fairseq-generate with a traceback.
    """
    parse = options.parse_args_and_arch

    @functools.wraps(parse)
    def parse_and_correct(
        parser: argparse.ArgumentParser, input_args: list[str] | None = None, **kwargs: Any
    ) -> Any:
        try:
            parsed = parse(parser, input_args, **kwargs)
        except RuntimeError as error:
            if error.args:  # it is not fairseq's, which says nothing
                raise
            raise InputError(
                "--arch: missing; it names the language model, such as --arch lstm_lm"
            ) from error
        args = parsed[0] if isinstance(parsed, tuple) else parsed
        given = sys.argv[1:] if input_args is None else input_args
        if getattr(args, "bf16", False) and "--tpu" not in given:
            args.tpu = False
        seed = getattr(args, "seed", None)
        if seed is not None and not 0 <= seed <= MOST_SEED:
            raise InputError(f"--seed is {seed}: it must be in 0 ... 2^32 - 1")
        if getattr(args, "total_num_update", 0) is None:
            raise InputError(f"--lr-scheduler {args.lr_scheduler}: it needs --total-num-update")
        if getattr(args, "sampling", False) and args.nbest != args.beam:
            raise InputError(
                f"--nbest {args.nbest}: --sampling draws --beam {args.beam} sequences of each item "
                "and returns all of them; give both options the same number"
            )
        return parsed

    options.parse_args_and_arch = parse_and_correct
