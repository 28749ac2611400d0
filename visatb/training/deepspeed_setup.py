"""What DeepSpeed needs before the Trainer is made."""

import sys
import warnings

from visatb.errors import VisatbError, bullet_list
from visatb.runtime.devices import computes_on_cpu
from visatb.training.deepspeed_config import check_deepspeed


def prepare_deepspeed(config: str, gpus: int) -> None:
    """Start the talk of the processes, by gloo on CPUs and nccl on GPUs, as DeepSpeed does it.

    Raises:
        VisatbError: with all mistakes of the config file.
    """
    if mistakes := list(check_deepspeed(config)):
        raise VisatbError(f"--deepspeed:\n{bullet_list(mistakes)}")
    # Said at every step, of calls that DeepSpeed makes.
    warnings.filterwarnings("ignore", "`torch.distributed.*is deprecated", FutureWarning)
    import deepspeed.comm

    if computes_on_cpu(gpus):
        # Its shared-memory operator would be compiled; gloo does without.
        sys.modules["deepspeed.comm.torch"].build_shm_op = lambda: None  # type: ignore[attr-defined]
    # ZeRO-3 cuts the model up while it is loaded, before the Trainer would start the talk.
    deepspeed.comm.init_distributed("gloo" if computes_on_cpu(gpus) else "nccl")
