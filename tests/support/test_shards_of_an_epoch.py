"""Which folder of ``DATA1:DATA2`` an epoch reads."""

from fairseq_seqgan.support import shards


def test_the_folder_of_an_epoch():
    assert [shards.folder("a:b", epoch).name for epoch in (1, 2, 3)] == ["a", "b", "a"]
