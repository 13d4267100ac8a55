"""``fairseq-seqgan report`` in this process, on run folders that a test may change."""

import json
from pathlib import Path

import pytest

from fairseq_seqgan.cli import main
from fairseq_seqgan.support.errors import InputError


def report(output, *arguments) -> dict:
    """Run the command; return ``report.json``."""
    assert main(["report", *map(str, arguments), "--output", str(output)]) == 0
    return json.loads((output / "report.json").read_text())


def refused(output, *arguments) -> str:
    """Return the error that the command ends with; nothing may have been written."""
    with pytest.raises(InputError) as error:
        main(["report", *map(str, arguments), "--output", str(output)])
    assert not output.exists()
    message = str(error.value)
    assert "\n" not in message
    return message


def change(path: Path, **values) -> None:
    """Change entries of a JSON file; None removes one."""
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
