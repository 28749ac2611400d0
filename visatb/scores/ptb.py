"""The PTB tokenizer that pycocoevalcap ships, run from a temporary file instead of one beside the library's code."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from visatb.errors import VisatbError


def require_java() -> None:
    """Raise `VisatbError` where Java is missing."""
    if shutil.which("java") is None:
        raise VisatbError(
            "CIDEr-PTB needs Java, and there is no 'java' on the PATH; install a Java runtime "
            "(for example the package default-jre-headless) or use the metric CIDEr"
        )


def tokenize(lines: Sequence[str]) -> list[str]:
    """Return each line in lower-case PTB tokens without punctuation, joined by spaces; line n stays line n.

    Args:
        lines: texts without line breaks of any kind.

    Raises:
        VisatbError: Java is missing, fails, or answers with another number of lines.
    """
    from pycocoevalcap.tokenizer import ptbtokenizer

    require_java()
    jar = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as texts:
        texts.write("\n".join(lines))
        texts.flush()
        command = [
            "java",
            "-cp",
            str(jar),
            "edu.stanford.nlp.process.PTBTokenizer",
            "-preserveLines",
            "-lowerCase",
        ]
        done = subprocess.run([*command, texts.name], capture_output=True, encoding="utf-8", check=False)
    tokenized = done.stdout.split("\n")[: len(lines)]
    if done.returncode or len(tokenized) != len(lines):
        raise VisatbError(f"the PTB tokenizer failed (status {done.returncode}): {done.stderr.strip()[-500:]}")
    return [" ".join(w for w in line.rstrip().split(" ") if w not in ptbtokenizer.PUNCTUATIONS) for line in tokenized]
