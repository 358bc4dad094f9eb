"""What xgrammar enforces of a schema in normal form."""

import json
from ngramspec.guards.schemas.node import Node
def reason(node: Node, keyword: str) -> str | None:
    return "x"
def said(schemas, refuser):
    root=schemas[""]
    if isinstance(root,bool): return json.dumps(root)
    return json.dumps({"$defs":{k:v for k,v in schemas.items() if k},**root})
