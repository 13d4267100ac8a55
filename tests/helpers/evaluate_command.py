"""``fairseq-seqgan evaluate``, called in the process of the test."""

import json

import pytest

from fairseq_seqgan.cli import main
from fairseq_seqgan.support.errors import InputError


def evaluate(capsys, *arguments: object) -> dict:
    """Run the command; return the JSON that it prints."""
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments: object) -> str:
    """Return the one line with which the command refuses; nothing else may be printed."""
    with pytest.raises(InputError) as caught:
        main(["evaluate", *map(str, arguments)])
    assert capsys.readouterr().out == ""
    message = str(caught.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message
