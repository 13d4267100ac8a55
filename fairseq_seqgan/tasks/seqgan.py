"""Task ``seqgan``: a language-modelling task that can also train adversarially.

With ``--criterion cross_entropy`` it trains a language model as ``language_modeling`` does. With
``--criterion seqgan`` it follows Algorithm 1: fairseq's loop counts updates, and the schedule says
which net each one trains.

This file holds fairseq's hooks only; ``adversarial/`` and ``policy/`` do the work.
"""

from argparse import ArgumentParser
from functools import partial
from typing import Any

import numpy as np
from fairseq.criterions import FairseqCriterion
from fairseq.data import Dictionary, FairseqDataset
from fairseq.data.iterators import EpochBatchIterator
from fairseq.models import BaseFairseqModel
from fairseq.optim import FairseqOptimizer
from fairseq.tasks import register_task
from fairseq.tasks.language_modeling import LanguageModelingTask
from torch import Tensor

from ..adversarial.build_trainer import build_progress
from ..adversarial.divergence import Watch, before_saving, in_update, in_validation
from ..adversarial.progress import Progress
from ..adversarial.real_data import RealData
from ..adversarial.start import Start, check_discriminator, find_start
from ..adversarial.trainer import AdversarialTrainer
from ..adversarial.validation import Validation, log_measured
from ..criterions.saved_discriminator import load_guide
from ..criterions.seqgan import Log, SeqGANCriterion
from ..optim.seqgan_adam import drop_gradients, makes_update
from ..policy.factory import PolicyFactory
from ..policy.fairseq_generate import SequenceSampler, build_sampler
from ..policy.generate_options import sample_lengths, search_options, warn_of_whole_sentences
from ..policy.prompts import Prompts, make_prompts, prompt_iterator, refuse_too_long
from ..policy.saved_model import LONGEST
from ..rewards.base import on_registration
from ..support import compat, compat_stopping, distributed, input_checks, shards
from ..support.errors import InputError
from ..support.stored_options import TASK_STATE
from ..support.vocabulary import WORDS, fingerprint
from .architecture import build_generator
from .checked_data import load_checked
from .config import SeqGANBaseConfig, check_options, make_config
from .sample_texts import SampleTexts
from .training_setup import check_command


@register_task("seqgan", dataclass=make_config())
class SeqGANTask(SampleTexts, LanguageModelingTask):
    """Train a language model adversarially (Yu, Zhang, Wang and Yu, AAAI 2017), or sample from it.

    Works with ``fairseq-train``, ``fairseq-generate``, ``fairseq-eval-lm``, ``fairseq-validate``.
    """

    def __init__(
        self,
        args: SeqGANBaseConfig,
        dictionary: Dictionary,
        output_dictionary: Dictionary | None = None,
        targets: list[str] | None = None,
    ) -> None:
        super().__init__(args, dictionary, output_dictionary, targets)
        self.policy = PolicyFactory(args, dictionary)
        self.validation = Validation(args)
        self.watch = Watch(compat.root_config(args))
        self.criterion: SeqGANCriterion | None = None  # set in adversarial training only
        self.progress: Progress | None = None  # likewise, once the data is loaded
        self.start = Start()  # what the training begins with
        self.real_data = RealData(args, self.datasets, dictionary, self.policy)
        self.epoch = 1  # fairseq's, of the training
        self.longest = 0  # tokens of the longest training sequence, without its end symbol

    @property
    def adversarial(self) -> AdversarialTrainer | None:
        """The trainer of adversarial training, once the data is loaded; None of other tasks."""
        return None if self.progress is None else self.progress.trainer

    @classmethod
    def add_args(cls, parser: ArgumentParser) -> None:
        """Add the options to *parser*; ``--beam`` is 1 by default, as ``--sampling`` needs."""
        super().add_args(parser)
        compat.add_old_names(parser, {"--rollout-lag": "rollout_ema_decay"})
        parser.set_defaults(beam=1)

    @classmethod
    def setup_task(cls, args: SeqGANBaseConfig, **kwargs: Any) -> "SeqGANTask":
        """Check the command line, and load the dictionary."""
        input_checks.data_folder(args.data)
        if args.add_bos_token:
            raise InputError("--add-bos-token: with it, fairseq trains and samples differently")
        shards.check(args.data)
        task = super().setup_task(args, **kwargs)
        root = compat.root_config(args)
        if kwargs.get("from_checkpoint"):  # of a command that evaluates
            task.start = Start(evaluates=True)
        elif root is not None:
            task.start = find_start(root, check_command(root, task.dictionary))
            compat.prepare_command(root, distributed.size())
        return task

    def build_model(self, args: Any, from_checkpoint: bool = False) -> BaseFairseqModel:
        """Build G, if the options describe the model that the training begins with."""
        build = partial(super().build_model, args, from_checkpoint)
        return build_generator(build, args, self.start, None if from_checkpoint else self.args)

    def build_criterion(self, args: Any) -> FairseqCriterion:
        """Build the criterion; ``seqgan`` switches the task to adversarial training."""
        SeqGANCriterion.refresh_options()
        criterion = super().build_criterion(args)
        if isinstance(criterion, SeqGANCriterion):
            if not self.start.evaluates:  # the options of a checkpoint have trained it
                check_options(self.args, criterion.trained_before)
            new = not (self.start.resumes or self.start.evaluates)
            if new and criterion.trained_before:
                criterion.take_over(args)
            else:
                check_discriminator(criterion, self.start, args)
            self.criterion = None if self.start.evaluates else criterion
        self.validation.load_oracle(self.dictionary.symbols)
        return criterion

    # ---- data -----------------------------------------------------------------------------

    def load_dataset(
        self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any
    ) -> None:
        """Load *split*, of all shards if D needs it, or make the items for fairseq-generate."""
        read = partial(super().load_dataset, split, combine=combine, **kwargs)

        def load(epoch: int = epoch) -> FairseqDataset:
            own = partial(read, epoch=epoch)
            load_checked(own, self.datasets, self.args, self.dictionary, split, epoch, combine)
            loaded = self.datasets[split]
            if split == self.args.train_subset and str(self.args.sample_break_mode) == "eos":
                longest = shards.longest_of_folders(self.args.data, split, self.dictionary, combine)
                self.longest = max(self.longest, longest, int(loaded.sizes.max()) - 1)
            return loaded

        if "task_cfg" in kwargs:
            items = make_prompts(self.args, kwargs["task_cfg"], self.dictionary, load)
            if items is not None:
                self.datasets[split] = items
                return
        if self.criterion is not None and split == self.args.train_subset:
            self.datasets[split] = shards.load_all(load, self.args.data)
        else:
            load()

    def has_sharded_data(self, split: str) -> bool:
        """Return whether another epoch needs other data; in adversarial training, none does."""
        return self.criterion is None and super().has_sharded_data(split)

    def get_batch_iterator(
        self,
        dataset: FairseqDataset,
        max_tokens: int | None = None,
        max_sentences: int | None = None,
        **kwargs: Any,
    ) -> EpochBatchIterator:
        """Return fairseq's batches; in adversarial training, one item for each update instead."""
        if isinstance(dataset, Prompts):
            shard = kwargs.get("num_shards", 1), kwargs.get("shard_id", 0)
            return prompt_iterator(dataset, max_sentences, *shard)
        if self.criterion is not None and dataset is self.datasets.get(self.args.train_subset):
            if self.progress is None:
                size = max_sentences, max_tokens
                self.progress = build_progress(self.real_data, self.criterion, self.start, size)
            return self.progress.rest_of_epoch()
        # fairseq's default of 8 would drop the last sentences of the data.
        kwargs["required_batch_size_multiple"] = 1
        kwargs = compat_stopping.batches_of_first_epoch(kwargs, compat.root_config(self.args))
        return super().get_batch_iterator(dataset, max_tokens, max_sentences, **kwargs)

    def filter_indices_by_size(
        self,
        indices: np.ndarray,
        dataset: FairseqDataset,
        max_positions: Any = None,
        ignore_invalid_inputs: bool = False,
    ) -> np.ndarray:
        """Return *indices* without those that are too long for the model, or refuse them."""
        if not ignore_invalid_inputs:
            refuse_too_long(indices, dataset, max_positions)
        return super().filter_indices_by_size(indices, dataset, max_positions, True)

    # ---- training -------------------------------------------------------------------------

    def begin_epoch(self, epoch: int, model: BaseFairseqModel) -> None:
        """Store the epoch for the criterion; try out G before the first one."""
        super().begin_epoch(epoch, model)
        self.epoch = epoch
        if self.progress is not None:
            self.progress.begin_epoch(model)

    @in_update
    def train_step(
        self,
        sample: dict[str, Any],
        model: BaseFairseqModel,
        criterion: FairseqCriterion,
        optimizer: FairseqOptimizer,
        update_num: int,
        ignore_grad: bool = False,
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Train on what the schedule says for *update_num*; else on fairseq's batch."""
        if self.progress is not None:
            sample = self.progress.make_batch(model, update_num, sample["part"])
        else:
            sample = {**sample, "update": update_num}
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    @in_update
    def optimizer_step(
        self, optimizer: FairseqOptimizer, model: BaseFairseqModel, update_num: int
    ) -> None:
        """Change the weights of the net that *update_num* trains, and only of that one."""
        if self.progress is None:
            super().optimizer_step(optimizer, model, update_num)
            return
        trainer = self.progress.trainer
        step = trainer.schedule(update_num)
        drop_gradients(optimizer, active=trainer.trained_net(step))
        if makes_update(optimizer, partial(super().optimizer_step, optimizer, model, update_num)):
            self.progress.after_update(update_num, model, optimizer)

    @before_saving
    def get_checkpoint_dict(self) -> dict[str, dict[str, Any]]:
        """Return what fairseq stores for this task in a checkpoint.

        We read it under the name of our task. fairseq reads it under the name of the class, which
        may be a user's subclass.
        """
        state = {WORDS: fingerprint(self.dictionary), **compat_stopping.patience_state()}
        if self.longest:
            state[LONGEST] = self.longest
        state |= self.progress.state_dict() if self.progress else {}
        return {TASK_STATE: state, type(self).__name__: state}

    def set_checkpoint_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_checkpoint_dict` returned."""
        root = compat.root_config(self.args)
        if root is None or not root.checkpoint.reset_optimizer:  # then it is another training
            compat_stopping.restore_patience(root, state)
        stored = state.get(LONGEST)
        if isinstance(stored, int):
            self.longest = max(self.longest, stored)
        if self.progress is not None:
            self.progress.load_state_dict(state)

    # ---- validation -----------------------------------------------------------------------

    def begin_valid_epoch(self, epoch: int, model: BaseFairseqModel) -> None:
        """Let the first batch of the validation measure samples."""
        self.validation.begin()
        if self.progress is not None and self.progress.pretrains(epoch):
            compat_stopping.pause_patience()

    @in_validation
    def valid_step(
        self, sample: dict[str, Any], model: BaseFairseqModel, criterion: FairseqCriterion
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Score held-out text, and with the first batch of a validation also samples of G."""
        loss, size, log = super().valid_step(sample, model, criterion)
        policy = self.policy(model)
        trainer = self.adversarial
        if trainer is not None and self.criterion is not None:
            real = partial(self.real_data.for_validation, trainer)
            measured = self.validation.measure_samples(policy, self.criterion.discriminator, real)
            trainer.after_validation(measured)
            log.update(measured)
        else:
            log = {**log, **self.validation.measure_language_model(policy, sample["target"])}
        return loss, size, log

    def reduce_metrics(self, logging_outputs: list[Log], criterion: FairseqCriterion) -> None:
        """Log what was measured on all ranks."""
        super().reduce_metrics(logging_outputs, criterion)
        log_measured(logging_outputs)

    # ---- sampling -------------------------------------------------------------------------

    def build_generator(self, models: list[BaseFairseqModel], args: Any, **kwargs: Any) -> Any:
        """Return our sampler for ``--sampling``; else fairseq's search without banned symbols."""
        if getattr(args, "sampling", False):
            guide = load_guide(self.args, self.dictionary, models[0])
            return build_sampler(self.policy, models[0], args, self.args.seed, guide)
        if self.args.guide != 1:
            raise InputError("--guide needs --sampling: D chooses among samples")
        extra = dict(kwargs.pop("extra_gen_cls_kwargs", None) or {})
        lengths = sample_lengths(self.args, args, models[0])
        begins = getattr(args, "prefix_size", 0) or self.args.num_samples
        if self.datasets and not begins:  # fairseq-interactive has typed beginnings, and no split
            warn_of_whole_sentences()
        args, suppressed = search_options(args, self.dictionary, lengths)
        extra["tokens_to_suppress"] = suppressed
        return super().build_generator(models, args, extra_gen_cls_kwargs=extra, **kwargs)

    def inference_step(
        self,
        generator: Any,
        models: list[BaseFairseqModel],
        sample: dict[str, Any],
        prefix_tokens: Tensor | None = None,
        constraints: Any = None,
    ) -> list[list[dict[str, Any]]]:
        """Sample, or search as fairseq does; without a prefix, continue the source."""
        if isinstance(generator, SequenceSampler):
            return generator.generate(models, sample, prefix_tokens)
        return super().inference_step(generator, models, sample, prefix_tokens, constraints)


# A reward that is registered later, in a user's own --user-dir, brings options of its own.
on_registration(lambda: compat.replace_options("task", "seqgan", SeqGANTask, make_config()))
