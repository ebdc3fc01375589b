"""What is imported before the compiler is started, and so waited for."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "argparse",
    "farside.bench",
    "farside.execution",
    "farside.link",
    "farside.object",
    "farside.platform",
    "farside.remote",
    "numpy",
    "prompt_toolkit",
    "pygments",
    "rich",
)


def test_the_compiler_is_started_before_the_linker_is_imported() -> None:
    program = "import farside.cli, farside.session, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    modules = done.stdout.split()
    assert "farside.frontend.client" in modules
    assert [name for name in HEAVY if name in modules] == []
