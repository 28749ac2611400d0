"""Where things lie in the repository."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = REPOSITORY / "tests"
SCRIPTS = REPOSITORY / "workflow_scripts"
FIXTURES = TESTS / "fixtures"
