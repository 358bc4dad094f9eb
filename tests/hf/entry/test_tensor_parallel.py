"""Two processes share one model: they draft alike, whatever their clocks say, and emit plain decoding's text."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import itertools, random, sys
import torch, torch.distributed as dist
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from ngramspec import Speculator

torch.set_num_threads(1)
dist.init_process_group("gloo")
rank = dist.get_rank()
if rank == 0:
    torch.manual_seed(0)
    sizes = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4)
    LlamaForCausalLM(LlamaConfig(vocab_size=64, **sizes)).save_pretrained(sys.argv[1])
dist.barrier()
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], tp_plan="auto").eval()

noise = random.Random(rank)
spec = Speculator(clock=itertools.accumulate(noise.choice([1e-5, 1e-2, 5.0]) for _ in itertools.count()).__next__)
torch.manual_seed(0)
for _ in range(6):
    call = dict(inputs=torch.randint(2, 20, (1, 12)).repeat(1, 4), max_new_tokens=40, pad_token_id=0, eos_token_id=None)
    plain = model.generate(**call)
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
total = spec.stats.total
assert 0 < total.num_accepted_tokens < total.num_draft_tokens, total
with open(f"{sys.argv[2]}.{rank}", "w") as file:
    print(total.target_passes, total.num_draft_tokens, file=file)
dist.destroy_process_group()
"""


def test_processes_that_share_a_model_draft_alike_whatever_their_clocks_say(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, str(program), str(tmp_path / "model"), str(tmp_path / "passes")]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (0, "") == (result.returncode, result.stderr if result.returncode else "")
    assert (tmp_path / "passes.0").read_text() == (tmp_path / "passes.1").read_text()
