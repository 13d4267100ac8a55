"""Task ``seqgan``: a language-modelling task that can also play Algorithm 1.

With ``--criterion cross_entropy`` it trains a language model as ``language_modeling`` does. With
``--criterion seqgan`` it follows the schedule: the task decides which net an update trains, draws
what it is trained on, and keeps the pool of negatives.

Shapes: B sequences of a G step, N rollouts, T tokens.
"""

import copy
import logging
from argparse import ArgumentParser
from dataclasses import dataclass, field
from typing import Any, Optional
from weakref import WeakKeyDictionary

import numpy as np
import torch
from fairseq.criterions import FairseqCriterion
from fairseq.data import Dictionary, FairseqDataset, MonolingualDataset
from fairseq.data.iterators import EpochBatchIterator
from fairseq.dataclass import ChoiceEnum
from fairseq.models import BaseFairseqModel
from fairseq.optim import FairseqOptimizer
from fairseq.tasks import register_task
from fairseq.tasks.language_modeling import (
    SAMPLE_BREAK_MODE_CHOICES,
    LanguageModelingConfig,
    LanguageModelingTask,
)
from omegaconf import II
from torch import Tensor

from .. import checks, compat, distributed
from ..criterions.seqgan import SeqGANCriterion, require_finite
from ..errors import InputError
from ..generator import Prompts, SequenceSampler
from ..optim import DISCRIMINATOR, GENERATOR, drop_gradients
from ..oracle import OFFSET, Oracle
from ..policy import Policy, banned_symbols
from ..pool import Pool
from ..rewards import BASELINES, REWARDS, advantage, build_reward
from ..rollout import Rollouts, Samples, action_values, roll_out, sample
from ..sampling import make_generator
from ..schedule import Phase, Schedule, Step
from ..ticks import tick_iterator
from ..validation import measure

logger = logging.getLogger(__name__)


@dataclass
class SeqGANConfig(LanguageModelingConfig):
    """Options of the task, the schedule of Algorithm 1 among them."""

    sample_break_mode: SAMPLE_BREAK_MODE_CHOICES = field(
        default="eos", metadata={"help": "adversarial training needs 'eos': one sentence a sample"}
    )
    rounds: int = field(default=200, metadata={"help": "rounds of g-steps and d-steps"})
    g_steps: int = field(default=1, metadata={"help": "updates of G in a round"})
    d_steps: int = field(
        default=5, metadata={"help": "pools of fresh negatives on which D is trained in a round"}
    )
    k: int = field(default=3, metadata={"help": "passes of D over each pool"})
    pretrain_d_steps: int = field(
        default=50, metadata={"help": "pools on which D is trained before the first round"}
    )
    negative_pool_size: int = field(
        default=0, metadata={"help": "negatives in a pool; 0: as many as training sequences"}
    )
    d_batch_size: int = field(
        default=64,
        metadata={"help": "sequences in a minibatch of D, positives and negatives, over all GPUs"},
    )
    rollouts: int = field(default=16, metadata={"help": "N, rollouts of each prefix"})
    rollout_lag: float = field(
        default=0.0,
        metadata={
            "help": "the rollout policy keeps this share of itself after a G step and takes the "
            "rest from G; 0 (the paper): it is G"
        },
    )
    temperature: float = field(
        default=1.0, metadata={"help": "of the policy: logits are divided by it"}
    )
    reward: ChoiceEnum(list(REWARDS)) = field(
        default="discriminator", metadata={"help": "what a finished sequence is worth"}
    )
    baseline: ChoiceEnum(list(BASELINES)) = field(
        default="none",
        metadata={"help": "'mean': subtract the batch's mean value at every step from it"},
    )
    fixed_length: int = field(
        default=0, metadata={"help": "T, if every sequence has T tokens and no end symbol"}
    )
    max_length: int = field(
        default=0,
        metadata={"help": "most tokens before the end symbol; 0: as the longest training sequence"},
    )
    oracle: Optional[str] = field(
        default=None, metadata={"help": "oracle file: validation logs nll_oracle"}
    )
    num_eval_samples: int = field(
        default=1000, metadata={"help": "samples that validation draws for its metrics"}
    )
    num_samples: int = field(
        default=0, metadata={"help": "fairseq-generate: unconditional samples to draw"}
    )
    train_subset: str = II("dataset.train_subset")
    valid_subset: str = II("dataset.valid_subset")


@register_task("seqgan", dataclass=SeqGANConfig)
class SeqGANTask(LanguageModelingTask):
    """Train a language model adversarially (Yu, Zhang, Wang and Yu, AAAI 2017), or sample from it.

    Works with ``fairseq-train``, ``fairseq-generate``, ``fairseq-eval-lm``, ``fairseq-validate``.
    """

    def __init__(
        self,
        args: SeqGANConfig,
        dictionary: Dictionary,
        output_dictionary: Dictionary | None = None,
        targets: list[str] | None = None,
    ) -> None:
        super().__init__(args, dictionary, output_dictionary, targets)
        self.criterion: SeqGANCriterion | None = None  # set in adversarial training only
        self.oracle: Oracle | None = None
        self.schedule: Schedule | None = None
        self.pool: Pool | None = None
        self._heldout: Tensor | None = None
        self._longest = 0  # most tokens before eos in the training data
        self._batch_size = 0
        self._lagging: BaseFairseqModel | None = None
        self._lagging_state: dict[str, Tensor] | None = None
        self._policies: WeakKeyDictionary[BaseFairseqModel, Policy] = WeakKeyDictionary()
        self._measure_next = False

    @classmethod
    def add_args(cls, parser: ArgumentParser) -> None:
        """Add the options to *parser*, and let ``--sampling`` go without ``--beam 1``."""
        super().add_args(parser)
        parser.set_defaults(beam=1)

    @classmethod
    def setup_task(cls, args: SeqGANConfig, **kwargs: Any) -> "SeqGANTask":
        """Load the dictionary, after a look at what the command line says."""
        checks.data_folder(args.data)
        task = super().setup_task(args, **kwargs)
        root = compat.root_config(args)
        if root is not None:
            if root.get("common_eval") and root.common_eval.get("path"):
                for path in root.common_eval.path.split(":"):
                    checks.checkpoint(path, task.dictionary)
            elif root.get("criterion"):
                checks.training_setup(root, task.dictionary)
        return task

    # ---- what fairseq builds --------------------------------------------------------------

    def build_criterion(self, args: Any) -> FairseqCriterion:
        """Build the criterion; ``seqgan`` switches the task to adversarial training."""
        criterion = super().build_criterion(args)
        if isinstance(criterion, SeqGANCriterion):
            self._check_options()
            self.criterion = criterion
        if self.args.oracle:
            self.oracle = self._load_oracle(self.args.oracle)
        return criterion

    def _check_options(self) -> None:
        args = self.args
        checks.positive(
            rollouts=args.rollouts,
            d_batch_size=args.d_batch_size,
            num_eval_samples=args.num_eval_samples,
            temperature=args.temperature,
        )
        # Checked again with the number of minibatches, once the training data is known.
        Schedule(args.pretrain_d_steps, args.rounds, args.g_steps, args.d_steps, args.k, 1)
        if str(args.sample_break_mode) != "eos":
            raise InputError("--sample-break-mode: adversarial training needs eos")
        if not 0 <= args.rollout_lag < 1:
            raise InputError(f"--rollout-lag is {args.rollout_lag}: it must be in [0, 1)")
        if args.negative_pool_size < 0 or args.fixed_length < 0 or args.max_length < 0:
            raise InputError("--negative-pool-size, --fixed-length, --max-length: none is below 0")

    def _load_oracle(self, path: str) -> Oracle:
        oracle = Oracle.load(path)
        if oracle.vocab_size + OFFSET != len(self.dictionary):
            raise InputError(
                f"{path}: an oracle of {oracle.vocab_size} words, the data's dictionary has "
                f"{len(self.dictionary) - OFFSET}"
            )
        if not self.args.fixed_length:
            raise InputError("--oracle needs --fixed-length: an oracle knows no end of sequence")
        return oracle

    def policy(self, model: BaseFairseqModel) -> Policy:
        """Return *model* as the policy that this task samples and scores."""
        if model not in self._policies:
            self._policies[model] = self._make_policy(model, temperature=self.args.temperature)
        return self._policies[model]

    def _make_policy(self, model: BaseFairseqModel, **options: Any) -> Policy:
        longest = self.args.max_length or self._longest or self.args.tokens_per_sample - 1
        options.setdefault("max_length", longest)
        start = self.dictionary.bos() if self.args.add_bos_token else None
        return Policy(
            model, self.dictionary, fixed_length=self.args.fixed_length, start=start, **options
        )

    # ---- data -----------------------------------------------------------------------------

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Load *split* and check its lengths, or make the items that fairseq-generate asks for."""
        if "task_cfg" in kwargs and self._load_prompts(split, kwargs["task_cfg"]):
            return
        checks.split_files(self.args.data, split)
        try:
            super().load_dataset(split, epoch=epoch, combine=combine, **kwargs)
            dataset = self.datasets[split]
            if len(dataset):
                dataset[len(dataset) - 1]
        except Exception as e:
            raise InputError(
                f"{self.args.data}/{split}.bin or .idx cannot be read, perhaps truncated ({e})"
            ) from e
        if str(self.args.sample_break_mode) == "eos":
            checks.sequence_lengths(
                dataset.sizes, split, self.args.tokens_per_sample, self.args.fixed_length
            )
        if self.criterion is not None:
            if split == self.args.train_subset:
                self._start_game(dataset)
            elif split == self.args.valid_subset.split(",")[0]:
                self._heldout_dataset = dataset

    def _load_prompts(self, split: str, saved: Any) -> bool:
        """For fairseq-generate, make the items of *split*; return whether there are any to make.

        Lengths that the command line leaves open are those that the checkpoint was trained with.
        """
        for name in ("fixed_length", "max_length"):
            if not getattr(self.args, name) and saved is not None and saved.get(name):
                setattr(self.args, name, saved.get(name))
        root = compat.root_config(self.args)
        prefix = root.generation.prefix_size if root is not None else 0
        if not self.args.num_samples and not prefix:
            return False
        source = None
        if prefix:
            self.load_dataset(split)
            source = self.datasets[split]
        num = self.args.num_samples or len(source)
        checks.positive(num_samples=num)
        self.datasets[split] = Prompts(num, self.dictionary.eos(), self.dictionary.pad(), source)
        return True

    def _sequences(self, dataset: MonolingualDataset, most: int | None = None) -> Tensor:
        """Return sentences of *dataset* (n, T) int32, as the policy would draw them.

        No more than *most*, chosen with the seed; those longer than T are left out.
        """
        length = self.args.fixed_length or (self.args.max_length or self._longest) + 1
        index = np.arange(len(dataset))
        if most is not None and most < len(dataset):
            index = np.random.default_rng(self.args.seed).permutation(len(dataset))[:most]
        rows = [dataset[int(i)]["target"] for i in index]
        rows = [row[: self.args.fixed_length or None] for row in rows]
        rows = [row for row in rows if len(row) <= length]
        sequences = torch.full((len(rows), length), self.dictionary.pad(), dtype=torch.int32)
        for sequence, row in zip(sequences, rows, strict=True):
            sequence[: len(row)] = row
        return sequences

    def _start_game(self, dataset: MonolingualDataset) -> None:
        """Lay out the schedule over the training data, and tell fairseq when it ends."""
        args = self.args
        self._longest = int(dataset.sizes.max()) - 1
        if args.max_length and not args.fixed_length and args.max_length < self._longest:
            raise InputError(
                f"--max-length {args.max_length}: a training sequence has {self._longest} tokens"
            )
        positives = self._sequences(dataset)
        size = args.negative_pool_size or len(positives)
        self.pool = Pool(positives, size, args.d_batch_size, args.seed)
        self.schedule = Schedule(
            args.pretrain_d_steps, args.rounds, args.g_steps, args.d_steps, args.k,
            self.pool.batches,
        )  # fmt: skip
        root = compat.root_config(args)
        if root is not None:
            compat.end_training_at(root, self.schedule.epochs, self.schedule.total_updates)
        logger.info(
            "schedule: %d updates of D on %d pools, then %d rounds of %d updates of G and %d of D "
            "(%d d-steps x %d passes x %d minibatches)",
            self.schedule.pretrain_updates, args.pretrain_d_steps, args.rounds, args.g_steps,
            args.d_steps * self.schedule.pool_updates, args.d_steps, args.k, self.pool.batches,
        )  # fmt: skip

    def get_batch_iterator(
        self,
        dataset: FairseqDataset,
        max_tokens: int | None = None,
        max_sentences: int | None = None,
        **kwargs: Any,
    ) -> EpochBatchIterator:
        """Return fairseq's batches; in adversarial training, one tick for each update instead."""
        if isinstance(dataset, Prompts):
            shards = {key: kwargs.get(key, d) for key, d in (("num_shards", 1), ("shard_id", 0))}
            step = max_sentences or 1024
            order = range(len(dataset))
            return EpochBatchIterator(
                dataset, dataset.collater, [order[i : i + step] for i in order[::step]],
                disable_shuffling=True, **shards,
            )  # fmt: skip
        if self.schedule is not None and dataset is self.datasets[self.args.train_subset]:
            length = self.args.fixed_length or (self.args.max_length or self._longest) + 1
            self._batch_size = max_sentences or max(1, max_tokens // length)
            epoch = kwargs.get("epoch", 1)
            root = compat.root_config(self.args)
            parts = root.optimization.update_freq[0] if root is not None else 1
            return tick_iterator(self.schedule.epoch_updates(epoch), parts, epoch)
        # fairseq's default of 8 would drop the last sentences of the data.
        kwargs["required_batch_size_multiple"] = 1
        return super().get_batch_iterator(dataset, max_tokens, max_sentences, **kwargs)

    # ---- training -------------------------------------------------------------------------

    def train_step(
        self,
        sample: dict[str, Any],
        model: BaseFairseqModel,
        criterion: FairseqCriterion,
        optimizer: FairseqOptimizer,
        update_num: int,
        ignore_grad: bool = False,
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Do what the schedule says update *update_num* is."""
        if self.schedule is not None:
            step = self.schedule(update_num)
            part, parts = sample["part"], sample["parts"]
            if step.phase is Phase.GENERATOR:
                sample = self._play(model, update_num, part)
            else:
                if self.pool.number != step.pool:
                    self._draw_pool(model, step)
                share = distributed.rank() * parts + part
                sample = self.pool.minibatch(step, share, distributed.size() * parts)._asdict()
            sample["step"] = step
            device = next(model.parameters()).device
            sample = {k: v.to(device) if torch.is_tensor(v) else v for k, v in sample.items()}
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    def _play(self, model: BaseFairseqModel, update: int, part: int) -> dict[str, Any]:
        """Draw the sequences of a G step, roll them out, and value every token (Eq. 4)."""
        key = (self.args.seed, update, part, distributed.rank())
        reward = build_reward(str(self.args.reward), self.criterion.discriminator)
        policy, generator = self.policy(model), make_generator("rollout", *key)
        size, rollouts = self._batch_size, self.args.rollouts
        if reward.reads_tokens:
            lagging = self._rollout_policy(model)
            played = roll_out(policy, size, rollouts, generator, rollout_policy=lagging)
        else:
            played = unplayed(sample(policy, size, generator), rollouts)
        drawn = played.samples
        require_finite(drawn.log_probs, "generator step", "the policy's log-probability")
        noise = make_generator("reward", *key)
        rewards = reward(played.completions.flatten(0, 1), noise).view(-1, rollouts)
        final = reward(drawn.tokens, noise)
        require_finite(rewards, "generator step", "the reward of the rollouts")
        require_finite(final, "generator step", "the reward")
        values = action_values(played, rewards, final)
        return {
            "tokens": drawn.tokens,
            "advantage": advantage(values, drawn.mask, str(self.args.baseline)),
            "reward": final,
            "entropy_sum": -drawn.log_probs.sum(),
            "ntokens": int(drawn.mask.sum()),
        }

    def _draw_pool(self, model: BaseFairseqModel, step: Step) -> None:
        """Draw the negatives of a d-step from G; every rank draws its share."""
        generator = make_generator("pool", self.args.seed, step.pool, distributed.rank())
        share = -(-self.pool.size // distributed.size())
        drawn = sample(self.policy(model), share, generator)
        require_finite(drawn.log_probs, "draw of negatives", "the policy's log-probability")
        self.pool.refill(step.pool, distributed.gather(drawn.tokens)[: self.pool.size])

    def _rollout_policy(self, model: BaseFairseqModel) -> Policy | None:
        """Return the lagging rollout policy, or None where it is G itself."""
        if not self.args.rollout_lag:
            return None
        if self._lagging is None:
            self._lagging = copy.deepcopy(distributed.unwrap(model)).requires_grad_(False)
            if self._lagging_state is not None:
                self._lagging.load_state_dict(self._lagging_state)
        return self.policy(self._lagging)

    def optimizer_step(
        self, optimizer: FairseqOptimizer, model: BaseFairseqModel, update_num: int
    ) -> None:
        """Move the net that update *update_num* trains, and only that one."""
        if self.schedule is None:
            super().optimizer_step(optimizer, model, update_num)
            return
        playing = self.schedule(update_num).phase is Phase.GENERATOR
        drop_gradients(optimizer, GENERATOR if playing else DISCRIMINATOR)
        super().optimizer_step(optimizer, model, update_num)
        if playing and self._lagging is not None:
            keep = self.args.rollout_lag
            with torch.no_grad():
                own = distributed.unwrap(model).parameters()
                for slow, fast in zip(self._lagging.parameters(), own, strict=True):
                    slow.mul_(keep).add_(fast, alpha=1 - keep)

    def get_checkpoint_dict(self) -> dict[str, dict[str, Any]]:
        """Return what a resumed game needs beyond the nets and the optimizer."""
        if self.pool is None:
            return {}
        state: dict[str, Any] = {"pool": self.pool.state_dict()}
        if self._lagging is not None:
            state["rollout_policy"] = self._lagging.state_dict()
        return {type(self).__name__: state}

    def set_checkpoint_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_checkpoint_dict` returned."""
        if self.pool is not None:
            self.pool.load_state_dict(state["pool"])
        self._lagging_state = state.get("rollout_policy")

    # ---- validation and sampling ----------------------------------------------------------

    def begin_valid_epoch(self, epoch: int, model: BaseFairseqModel) -> None:
        """Ask for the metrics that are measured once in a validation, on its first batch."""
        self._measure_next = self.criterion is not None

    def valid_step(
        self, sample: dict[str, Any], model: BaseFairseqModel, criterion: FairseqCriterion
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Score held-out text; with a validation's first batch, also samples of G."""
        loss, size, log = super().valid_step(sample, model, criterion)
        if self._measure_next:
            self._measure_next = False
            num = self.args.num_eval_samples
            if self._heldout is None:
                self._heldout = self._sequences(self._heldout_dataset, num)
            positives = {
                "d_auc_train": self.pool.positives[:num],
                "d_auc_heldout": self._heldout,
            }
            generator = make_generator("validation", self.args.seed, distributed.rank())
            share = -(-num // distributed.size())
            discriminator = self.criterion.discriminator
            log.update(
                measure(self.policy(model), discriminator, self.oracle, positives, share, generator)
            )
        return loss, size, log

    def build_generator(
        self, models: list[BaseFairseqModel], args: Any, **kwargs: Any
    ) -> Any:
        """Return our sampler for ``--sampling``, else fairseq's search without banned symbols."""
        if getattr(args, "sampling", False):
            policy = self._make_policy(
                models[0],
                max_length=self.args.max_length or args.max_len_b,
                temperature=args.temperature,
                top_k=args.sampling_topk,
                top_p=args.sampling_topp,
            )
            return SequenceSampler(policy, args.nbest, self.args.seed, distributed.rank())
        extra = dict(kwargs.pop("extra_gen_cls_kwargs", None) or {})
        banned = banned_symbols(self.dictionary, fixed_length=False)
        extra["tokens_to_suppress"] = tuple(self.dictionary[i] for i in banned)
        return super().build_generator(models, args, extra_gen_cls_kwargs=extra, **kwargs)

    def inference_step(
        self,
        generator: Any,
        models: list[BaseFairseqModel],
        sample: dict[str, Any],
        prefix_tokens: Tensor | None = None,
        constraints: Any = None,
    ) -> list[list[dict[str, Any]]]:
        """Sample, or search as fairseq does."""
        if isinstance(generator, SequenceSampler):
            return generator.generate(models, sample, prefix_tokens)
        return super().inference_step(generator, models, sample, prefix_tokens, constraints)


def unplayed(drawn: Samples, rollouts: int) -> Rollouts:
    """Return *drawn* with every prefix but nothing rolled out, for rewards that read no tokens."""
    going = drawn.mask.clone()
    going[torch.arange(len(going)), drawn.mask.sum(dim=1) - 1] = False
    sequence, step = going.nonzero(as_tuple=True)
    completions = drawn.tokens[sequence].unsqueeze(1).expand(-1, rollouts, -1)
    return Rollouts(drawn, completions, sequence, step)
