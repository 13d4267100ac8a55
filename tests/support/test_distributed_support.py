"""What two processes exchange: rows, shares of a computation, and whether all is well."""

import json
import subprocess

from helpers.commands import REPO, program

# Each of two processes, connected through a file, prints what it got.
CODE = """
import json, sys
sys.path.insert(0, {repo!r})
import torch
import torch.distributed as dist
from fairseq_seqgan.support import distributed

rank = int(sys.argv[1])
meet = "file://" + sys.argv[2]
dist.init_process_group("gloo", init_method=meet, world_size=2, rank=rank)
calls = []

def double(rows):
    calls.append(len(rows))
    return 2 * rows

found = {{"gathered": distributed.gather(torch.tensor([[rank, 7], [rank, 8]])).tolist()}}
found["mask"] = distributed.gather(torch.tensor([rank == 0])).tolist()
found["own"] = distributed.own_rows(torch.arange(6)).tolist()
for count in (1, 2, 5, 6):
    found[f"doubled {{count}}"] = distributed.divide(torch.arange(count), double).tolist()
found["calls"] = calls
found["everywhere"] = [
    distributed.everywhere(torch.tensor(held)) for held in (True, rank == 0, rank == 1, False)
]
print(json.dumps(found))
"""


def test_two_processes(tmp_path):
    """Both get everything in the order of the ranks; each computes its share only."""
    command = [program("python"), "-c", CODE.format(repo=str(REPO))]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meet")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    first, second = (json.loads(p.communicate(timeout=100)[0]) for p in processes)
    assert first.pop("own") == [0, 1, 2]
    assert second.pop("own") == [3, 4, 5]
    assert first == second
    assert first["gathered"] == [[0, 7], [0, 8], [1, 7], [1, 8]]
    assert first["mask"] == [True, False]
    for count in (1, 2, 5, 6):
        assert first[f"doubled {count}"] == [2 * i for i in range(count)]
    assert first["calls"] == [1, 1, 3, 3]
    assert first["everywhere"] == [True, False, False, False]
