"""Data mixes in the formats of other training programs (docs/elsewhere.md tells which versions they were read by)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from visatb.reporting.export.weights import EMULATION, TaskShare
from visatb.runtime.files import write_json, write_text

LLAMAFACTORY_TEMPLATES = {"llava": "llava", "qwen2_vl": "qwen2_vl"}


def write_llamafactory(folder: Path, shares: Sequence[TaskShare], epochs: float, family: str) -> None:
    """Write LLaMA-Factory's ``dataset_info.json`` and the data part of a training's YAML.

    ``interleave_over`` ends when the scarcest task has been seen once; epochs are shortened to the draws wanted.
    """
    entry = {"formatting": "sharegpt", "columns": {"messages": "conversations", "images": "images"}}
    info = {share.task: {"file_name": f"../data/{share.task}.jsonl", **entry} for share in shares}
    write_json(folder / "dataset_info.json", info)
    values = {
        "dataset_dir": str(folder.absolute()),
        "dataset": ",".join(share.task for share in shares),
        "mix_strategy": "interleave_over",
        "interleave_probs": ",".join(repr(share.probability) for share in shares),
        "num_train_epochs": epochs * min(share.weight for share in shares),
        "template": LLAMAFACTORY_TEMPLATES[family],
    }
    _write_yaml(folder / "train.yaml", f"{EMULATION}. Add your model and training arguments.", values)


def write_trl(path: Path, shares: Sequence[TaskShare], epochs: float) -> None:
    """Write the mixture of TRL's scripts, which never repeat a sample: epochs are made longer by the largest weight."""
    data = (path.parent / "messages").absolute()
    mixture = [
        {
            "path": "json",
            "data_files": str(data / f"{share.task}.jsonl"),
            "split": "train",
            "columns": ["messages", "images"],
            "fraction": share.probability,
        }
        for share in shares
    ]
    values = {"datasets": mixture, "num_train_epochs": epochs * max(share.weight for share in shares)}
    _write_yaml(path, f"{EMULATION}. For trl sft --config, with your model and training arguments.", values)


def write_llava_next(path: Path, shares: Sequence[TaskShare]) -> None:
    """Write LLaVA-NeXT's ``--data_path``: whole data sets as often as they fit into the draws, then a random part."""
    data = (path.parent / "data").absolute()
    datasets: list[dict[str, str]] = []
    for share in shares:
        file = {"json_path": str(data / f"{share.task}.jsonl")}
        whole, rest = divmod(share.draws, share.samples)
        datasets += [{**file, "sampling_strategy": "all"}] * whole
        datasets += [{**file, "sampling_strategy": f"random:{rest}"}] if rest else []
    _write_yaml(path, f"{EMULATION}. For --data_path, with --image_folder /", {"datasets": datasets})


def write_ms_swift(folder: Path, shares: Sequence[TaskShare]) -> None:
    """Write two configs for ms-swift: one draws samples, the other multiplies token losses, by a plugin beside it."""
    data, messages = (folder.parent.absolute() / name for name in ("data", "messages"))
    drawn = {"dataset": [f"{data / share.task}.jsonl#{share.draws}" for share in shares]}
    _write_yaml(folder / "sampling.yaml", f"{EMULATION}. Add your model and training arguments.", drawn)
    write_text(folder / "plugin.py", Path(__file__).with_name("ms_swift_plugin.py").read_text(encoding="utf-8"))
    scaled = {
        "dataset": [f"{messages / share.task}.jsonl" for share in shares],
        "external_plugins": [str((folder / "plugin.py").absolute())],
        "loss_scale": "visatb",
        "is_binary_loss_scale": False,
        "enable_channel_loss": True,
    }
    head = (
        "multiplies each token's loss by its task's weight. The sum is divided by the number of tokens, not that of\n"
        "# their weights as in Eq. 2: tasks count as they should, but a step is larger or smaller by its mean weight."
    )
    _write_yaml(folder / "loss_scale.yaml", head, scaled)


class _Dumper(yaml.SafeDumper):
    """Writes every text out: two entries that share a value are not references to each other."""

    def ignore_aliases(self, data: Any) -> bool:
        """Tell that nothing is to be an alias."""
        return True


def _write_yaml(path: Path, head: str, values: Mapping[str, Any]) -> None:
    body = yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    write_text(path, f"# By visatb; {head}\n{body}")
