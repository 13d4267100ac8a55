"""Starting a training as several processes: it works, or one line says how it does."""

import re
from argparse import Namespace

import pytest
from helpers.commands import REPO, gan, program, run, training_state

from fairseq_seqgan.support import launch
from fairseq_seqgan.support.errors import InputError

TORCHRUN = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "WORLD_SIZE": "2", "RANK": "1"}
SHORT = ["--rounds", 1, "--g-steps", 1, "--pretrain-d-steps", 0]


@pytest.mark.slow
def test_torchrun_trains_together(data, pretrained, tmp_path):
    """torchrun on a CPU, with no option of fairseq about processes: one training, not two."""
    args = gan(data, tmp_path, pretrained.best, *SHORT)
    begin = ["--nproc-per-node", 2, "--no-python", program("fairseq-train")]
    done = run("torchrun", "--standalone", *begin, *args, cold=True).check()
    assert sorted(re.findall(r"as rank (\d)", done.output)) == ["0", "1"]
    assert done.output.count("done training") == 1
    state = training_state(tmp_path / "checkpoint_last.pt")
    assert state["updates"] == 15
    assert state["task"]["processes"] == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--distributed-world-size", 2],
        ["--distributed-world-size", 2, "--distributed-init-method", "tcp://localhost:29501"],
    ],
    ids=["alone", "with a place to meet"],
)
def test_without_gpus_fairseq_starts_no_process(options, data, pretrained, tmp_path):
    """Stock fairseq asserts, or ends with status 0 and without a training."""
    done = run("fairseq-train", *gan(data, tmp_path, pretrained.best, *options))
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "error" in line]
    assert line.startswith("error: --distributed-world-size 2: fairseq starts one process")
    assert "torchrun --nproc-per-node 2 --no-python fairseq-train" in line
    assert "Traceback" not in done.output


def test_hydra_would_train_alone(text, tmp_path):
    """fairseq-hydra-train under torchrun: refused, with the options that are missing."""
    config = tmp_path / "training.yaml"
    config.write_text(
        f"common: {{cpu: true, user_dir: {REPO / 'fairseq_seqgan'}}}\n"
        f"task: {{_name: seqgan, data: {text}, tokens_per_sample: 9,\n"
        "  add_bos_token: false, max_target_positions: null}\n"
        "criterion: {_name: cross_entropy}\n"
        "model: {_name: transformer_lm, decoder_embed_dim: 16, decoder_ffn_embed_dim: 16,\n"
        "  decoder_layers: 1, decoder_attention_heads: 2}\n"
        "dataset: {batch_size: 8}\n"
        "optimization: {max_update: 1}\n"
        f"checkpoint: {{save_dir: {tmp_path / 'out'}}}\n"
    )
    args = ["--config-dir", tmp_path, "--config-name", "training", "hydra.run.dir=."]
    done = run("fairseq-hydra-train", *args, cwd=tmp_path, env={**TORCHRUN, "RANK": "0"})
    assert done.returncode != 0  # hydra's own status for every error
    assert "error: torchrun started 2 processes, and each would train alone" in done.stderr
    assert "distributed_training.distributed_backend=gloo" in done.stderr
    assert not list(tmp_path.glob("out/*.pt"))


def options(**changed):
    """Return what fairseq-train parses without options about processes, on a machine of a GPU."""
    stock = {
        "cpu": False, "distributed_world_size": 1, "distributed_rank": 0, "device_id": 0,
        "distributed_init_method": None, "distributed_no_spawn": False,
        "distributed_backend": "nccl",
    }  # fmt: skip
    return Namespace(**{**stock, **changed})


def test_machines_with_one_gpu_each():
    """torchrun on two machines with a GPU each: stock fairseq trains alone on both."""
    found = options()
    launch.join(found, [], {**TORCHRUN, "LOCAL_RANK": "0"}, gpus=1)
    expected = options(
        distributed_world_size=2, distributed_rank=1, distributed_init_method="env://",
        distributed_no_spawn=True,
    )  # fmt: skip
    assert found == expected


def test_second_gpu_of_a_machine():
    """The GPU is torchrun's local number, whatever the number of the process."""
    found = options(distributed_world_size=2)
    launch.join(found, [], {**TORCHRUN, "LOCAL_RANK": "1"}, gpus=2)
    assert (found.device_id, found.distributed_backend) == (1, "nccl")


def test_another_number_than_torchrun_started():
    """The user's two numbers disagree."""
    with pytest.raises(InputError, match="-size 4: torchrun started 2 processes; leave"):
        launch.join(
            options(distributed_world_size=4), ["--distributed-world-size", "4"], TORCHRUN, 1
        )


def test_fairseq_starts_its_own():
    """Without a launcher, fairseq starts one process for each of four GPUs, as ever."""
    found = options(distributed_world_size=4)
    launch.join(found, [], {}, gpus=4)
    assert found == options(distributed_world_size=4)


def test_more_processes_than_gpus():
    """Six processes on a machine of four GPUs: stock fairseq asserts."""
    with pytest.raises(InputError, match="there are 4 here; say torchrun --nproc-per-node 6"):
        launch.join(options(distributed_world_size=6), [], {}, gpus=4)


def test_a_cpu_training_beside_gpus():
    """--cpu on a machine of four GPUs is one process, unless the user says otherwise."""
    found = options(cpu=True, distributed_world_size=4)
    launch.join(found, ["--cpu"], {}, gpus=4)
    assert found.distributed_world_size == 1
    with pytest.raises(InputError, match="there is none here"):
        launch.join(
            options(cpu=True, distributed_world_size=4), ["--distributed-world-size=4"], {}, 4
        )


def test_slurm_is_left_to_fairseq():
    """In a slurm job fairseq finds the other machines itself."""
    found = options(distributed_world_size=16)
    launch.join(found, [], {"SLURM_STEP_NODELIST": "node[1-2]"}, gpus=8)
    assert found == options(distributed_world_size=16)
