"""``--tensorboard-logdir``: every metric of the log, and samples, read back with tensorboard."""

import json

import pytest
from helpers.commands import fork, gan, mle
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def read(folder):
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def logged(result, tag):
    """Return what the log says of *tag*, by update."""
    lines = [line.split(" | ", 3) for line in result.stdout.splitlines()]
    records = [json.loads(line[3]) for line in lines if line[2:3] == [tag]]
    prefix = "" if tag == "train_inner" else f"{tag}_"
    return [
        {k.removeprefix(prefix): float(v) for k, v in record.items() if v is not None}
        for record in records
    ]


@pytest.mark.slow
@pytest.mark.parametrize("adversarial", [False, True])
def test_all_metrics_and_samples(adversarial, text, tmp_path):
    shape = "--tokens-per-sample 8"
    options = ["--log-format", "json", "--log-interval", 2, "--tensorboard-logdir", tmp_path / "tb"]
    if adversarial:
        options += ["--rounds", 1, "--rollouts", 2, "--num-eval-samples", 20]
        arguments = gan(text, tmp_path / "gan", None, *options, shape=shape)
    else:
        arguments = mle(text, tmp_path / "mle", *options, shape=shape)
    result = fork("train", tmp_path, arguments).check()
    for tag in ("train_inner", "train", "valid"):
        found, records = read(tmp_path / "tb" / tag), logged(result, tag)
        assert records
        names = set().union(*records) - {"epoch", "update", "num_updates"}
        assert names == set(found.Tags()["scalars"])
        for name in names - {"wall", "train_wall", "wps", "ups"}:
            written = [event.value for event in found.Scalars(name)]
            shown = [record[name] for record in records if name in record]
            assert written == pytest.approx(shown, rel=1e-4), (tag, name)
    if adversarial:
        assert {"g_loss", "reward", "d_loss"} <= set(
            read(tmp_path / "tb" / "train").Tags()["scalars"]
        )
    samples = read(tmp_path / "tb" / "valid").Tensors("samples/text_summary")
    assert [event.step for event in samples] == [r["num_updates"] for r in logged(result, "valid")]
    lines = samples[-1].tensor_proto.string_val[0].decode().split("\n")
    assert len(lines) == 10 and all(line.startswith("    ") for line in lines)
    assert {word for line in lines for word in line.split()} <= set("abcdefgh")
