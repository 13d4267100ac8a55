"""Task ``seqgan``: a language-modelling task that can also play Algorithm 1.

With ``--criterion cross_entropy`` it trains a language model as ``language_modeling`` does. With
``--criterion seqgan`` it follows the schedule: fairseq's loop counts updates, and the game decides
what each one is.

Shapes: n sequences, T tokens.
"""

import logging
from argparse import ArgumentParser
from typing import Any

from fairseq.criterions import FairseqCriterion
from fairseq.data import Dictionary, FairseqDataset, MonolingualDataset
from fairseq.data.iterators import EpochBatchIterator
from fairseq.models import BaseFairseqModel
from fairseq.optim import FairseqOptimizer
from fairseq.tasks import register_task
from fairseq.tasks.language_modeling import LanguageModelingTask
from torch import Tensor

from .. import checks, compat, distributed
from ..criterions.seqgan import SeqGANCriterion
from ..early_stopping import EarlyStopping
from ..errors import InputError
from ..game import Game
from ..generator import Prompts, SequenceSampler, prompt_iterator, search_options
from ..optim import DISCRIMINATOR, GENERATOR, drop_gradients
from ..options import SeqGANConfig, check_options
from ..oracle import Oracle
from ..policy import Policy
from ..real import real_sequences
from ..rewards import build_reward
from ..sampling import make_generator
from ..schedule import Phase
from ..ticks import tick_iterator
from ..validation import log_heldout, log_means, measure

logger = logging.getLogger(__name__)


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
        self.game: Game | None = None  # likewise, once the training data is loaded
        self.oracle: Oracle | None = None
        self.epoch = 1  # fairseq's, of the training
        self._longest = 0  # most tokens before eos in the training data
        self.early_stopping: EarlyStopping | None = None  # of D's pre-training, if asked for
        self._policies: dict[BaseFairseqModel, Policy] = {}
        self._heldout: Tensor | None = None
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
                compat.store_plain_model_options(root)
                if root.common.cpu:
                    compat.gather_on_cpu(distributed.size(), root.common.all_gather_list_size)
        return task

    # ---- what fairseq builds --------------------------------------------------------------

    def build_criterion(self, args: Any) -> FairseqCriterion:
        """Build the criterion; ``seqgan`` switches the task to adversarial training."""
        criterion = super().build_criterion(args)
        if isinstance(criterion, SeqGANCriterion):
            check_options(self.args)
            self.criterion = criterion
        if self.args.oracle:
            self.oracle = Oracle.load_for(self.args.oracle, len(self.dictionary))
            if not self.args.fixed_length:
                raise InputError(
                    "--oracle needs --fixed-length: an oracle knows no end of sequence"
                )
        return criterion

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
            model,
            self.dictionary,
            fixed_length=self.args.fixed_length,
            start=start,
            memory=self.args.g_step_memory * 1e6,
            **options,
        )

    @property
    def _length(self) -> int:
        """T, the most tokens of a sequence of the policy, eos among them."""
        return self.args.fixed_length or (self.args.max_length or self._longest) + 1

    # ---- data -----------------------------------------------------------------------------

    def load_dataset(
        self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any
    ) -> None:
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
            if root is not None and root.generation.sampling:
                raise InputError(
                    "--sampling: say --num-samples N to draw new sequences, or --prefix-size N to "
                    "continue the first N words of those of the split"
                )
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
        """Return the sentences of *dataset* (n, T) that D may see, no more than *most*."""
        return real_sequences(
            dataset,
            self.dictionary,
            length=self._length,
            fixed=bool(self.args.fixed_length),
            seed=self.args.seed,
            most=most,
        )

    def get_batch_iterator(
        self,
        dataset: FairseqDataset,
        max_tokens: int | None = None,
        max_sentences: int | None = None,
        **kwargs: Any,
    ) -> EpochBatchIterator:
        """Return fairseq's batches; in adversarial training, one tick for each update instead."""
        if isinstance(dataset, Prompts):
            shard = kwargs.get("num_shards", 1), kwargs.get("shard_id", 0)
            return prompt_iterator(dataset, max_sentences, *shard)
        if self.criterion is not None and dataset is self.datasets.get(self.args.train_subset):
            epoch = kwargs.get("epoch", 1)
            if self.game is None:
                self._start_game(dataset, max_tokens, max_sentences)
            root = compat.root_config(self.args)
            parts = root.optimization.update_freq[0] if root is not None else 1
            return tick_iterator(self.game.schedule.epoch_updates(epoch), parts, epoch)
        # fairseq's default of 8 would drop the last sentences of the data.
        kwargs["required_batch_size_multiple"] = 1
        return super().get_batch_iterator(dataset, max_tokens, max_sentences, **kwargs)

    # ---- training -------------------------------------------------------------------------

    def _start_game(
        self, dataset: MonolingualDataset, max_tokens: int | None, max_sentences: int | None
    ) -> None:
        """Lay out the schedule over the training data, and tell fairseq when it ends."""
        args = self.args
        self._longest = int(dataset.sizes.max()) - 1
        if args.max_length and not args.fixed_length and args.max_length < self._longest:
            raise InputError(
                f"--max-length {args.max_length}: a training sequence has {self._longest} tokens"
            )
        self._policies.clear()  # they were made before T was known
        positives = self._sequences(dataset)
        source = f"{self.args.data}/{self.args.train_subset}.bin"
        if not len(positives):
            raise InputError(
                f"{source}: all sequences hold an unknown word: none is left to show to D"
            )
        checks.known_symbols(positives, self.dictionary, source)
        self.game = Game(
            args,
            positives,
            build_reward(args, self.criterion.discriminator, positives, self.dictionary),
            self.policy,
            max_sentences or max(1, max_tokens // self._length),
        )
        if str(args.pretrain_d_keep) == "best":
            self._stop_early()
        schedule = self.game.schedule
        root = compat.root_config(args)
        if root is not None:
            compat.end_training_at(root, schedule.epochs, schedule.total_updates)
        logger.info("%s: %d updates in all", schedule, schedule.total_updates)

    def _stop_early(self) -> None:
        """Make ready to find the pool of D's pre-training after which D is best."""
        subset = self.args.valid_subset.split(",")[0]
        if subset not in self.datasets:
            raise InputError("--pretrain-d-keep best needs the held-out data of --valid-subset")
        heldout = self._sequences(self.datasets[subset], self.args.num_eval_samples)
        if not len(heldout):
            raise InputError(f"--pretrain-d-keep best: split '{subset}' has no sequence for D")
        self.early_stopping = EarlyStopping(self.criterion.discriminator, heldout, self.args.seed)

    def begin_epoch(self, epoch: int, model: BaseFairseqModel) -> None:
        """Remember what epoch it is, for the criterion."""
        super().begin_epoch(epoch, model)
        self.epoch = epoch

    def train_step(
        self,
        sample: dict[str, Any],
        model: BaseFairseqModel,
        criterion: FairseqCriterion,
        optimizer: FairseqOptimizer,
        update_num: int,
        ignore_grad: bool = False,
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Do what the schedule says update *update_num* is, or train on fairseq's batch."""
        if self.game is not None:
            sample = self.game.deal(model, update_num, sample["part"], sample["parts"])
        else:
            sample = {**sample, "update": update_num}
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    def optimizer_step(
        self, optimizer: FairseqOptimizer, model: BaseFairseqModel, update_num: int
    ) -> None:
        """Move the net that update *update_num* trains, and only that one."""
        if self.game is None:
            super().optimizer_step(optimizer, model, update_num)
            return
        step = self.game.schedule(update_num)
        playing = step.phase is Phase.GENERATOR
        drop_gradients(optimizer, GENERATOR if playing else DISCRIMINATOR)
        super().optimizer_step(optimizer, model, update_num)
        if playing:
            self.game.follow(model)
        elif self.early_stopping is not None and self.game.schedule.ends_pretrain_pool(step):
            self.early_stopping.after_pool(step.pool, self.policy(model), optimizer)
            if step.pool == self.game.schedule.pretrain_d_steps:
                self.early_stopping.restore(optimizer)

    def get_checkpoint_dict(self) -> dict[str, dict[str, Any]]:
        """Return what fairseq stores for this task in a checkpoint."""
        if self.game is None:
            return {}
        state = self.game.state_dict()
        if self.early_stopping is not None:
            state["early_stopping"] = self.early_stopping.state_dict()
        return {type(self).__name__: state}

    def set_checkpoint_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_checkpoint_dict` returned."""
        if self.game is not None:
            self.game.load_state_dict(state)
            if self.early_stopping is not None and "early_stopping" in state:
                self.early_stopping.load_state_dict(state["early_stopping"])

    # ---- validation -----------------------------------------------------------------------

    def begin_valid_epoch(self, epoch: int, model: BaseFairseqModel) -> None:
        """Ask for the metrics that are measured once in a validation, on its first batch."""
        self._measure_next = self.game is not None or self.oracle is not None

    def valid_step(
        self, sample: dict[str, Any], model: BaseFairseqModel, criterion: FairseqCriterion
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Score held-out text; with a validation's first batch, also samples of G."""
        loss, size, log = super().valid_step(sample, model, criterion)
        if self.game is None:
            self._log_language_model(model, sample)
        elif self._measure_next:
            self._measure_next = False
            num = self.args.num_eval_samples
            log.update(
                measure(
                    self.policy(model),
                    self.criterion.discriminator,
                    self.oracle,
                    self._real_sequences(num),
                    -(-num // distributed.size()),
                    make_generator("validation", self.args.seed, distributed.rank()),
                )
            )
        return loss, size, log

    def _log_language_model(self, model: BaseFairseqModel, sample: dict[str, Any]) -> None:
        """Log of a plain language model, whatever its criterion, what a game's validation logs."""
        policy = self.policy(model)
        if str(self.args.sample_break_mode) == "eos":  # otherwise a row is no sequence
            log_heldout(policy, sample["target"])
        if self._measure_next:
            self._measure_next = False
            generator = make_generator("validation", self.args.seed, 0)
            found = measure(policy, None, self.oracle, {}, self.args.num_eval_samples, generator)
            log_means(found)

    def _real_sequences(self, num: int) -> dict[str, Tensor]:
        """Return *num* sequences (n, T) for each AUC of D; none if no update trains D."""
        if not self.game.schedule.trains_discriminator:
            return {}
        if self._heldout is None:
            subset = self.args.valid_subset.split(",")[0]
            self._heldout = self._sequences(self.datasets[subset], num)
        found = {"d_auc_train": self.game.pool.positives[:num], "d_auc_heldout": self._heldout}
        return {name: sequences for name, sequences in found.items() if len(sequences)}

    # ---- sampling -------------------------------------------------------------------------

    def build_generator(self, models: list[BaseFairseqModel], args: Any, **kwargs: Any) -> Any:
        """Return our sampler for ``--sampling``, else fairseq's search without banned symbols."""
        if getattr(args, "sampling", False):
            # A transformer has no position for a longer sequence and its end.
            longest = min(args.max_len_b, models[0].max_positions() - 1)
            policy = self._make_policy(
                models[0],
                max_length=self.args.max_length or longest,
                temperature=args.temperature,
                top_k=args.sampling_topk,
                top_p=args.sampling_topp,
            )
            return SequenceSampler(policy, args.nbest, self.args.seed, distributed.rank())
        extra = dict(kwargs.pop("extra_gen_cls_kwargs", None) or {})
        args, suppressed = search_options(args, self.dictionary, self.args.fixed_length)
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
        """Sample, or search as fairseq does; continue the source where no prefix is given."""
        if isinstance(generator, SequenceSampler):
            if prefix_tokens is None:
                prefix_tokens = sample["net_input"]["src_tokens"][:, 1:]  # after the start symbol
            return generator.generate(models, sample, prefix_tokens)
        return super().inference_step(generator, models, sample, prefix_tokens, constraints)
