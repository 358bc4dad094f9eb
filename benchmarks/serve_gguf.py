"""The weights of a package in single precision, as GGUF: llama.cpp serves the same numbers as torch."""

from importlib import import_module
from pathlib import Path
from typing import Any


def write_float32(source: Path, target: Path) -> None:
    """Write `source`, a GGUF file whose weights may be quantised, with all weights as float32.

    The other fields do not change: the tokenizer and the chat template are the same.
    """
    gguf: Any = import_module("gguf")  # not a declared dependency, as in `real_models`
    reader = gguf.GGUFReader(source)
    fields = {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    writer = gguf.GGUFWriter(target, fields.pop("general.architecture").contents())
    fields.pop("general.file_type", None)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for name, field in fields.items():
        kind, *of = field.types
        writer.add_key_value(name, field.contents(), kind, *of[-1:])
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
