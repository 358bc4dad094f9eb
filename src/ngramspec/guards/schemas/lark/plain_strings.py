"""Stand-in until the real strings come."""
from ngramspec.guards.schemas.terminals import NotSayableError, Terminal
import json, re

def literal(text):
    out=''.join(_c(c) for c in text)
    return Terminal('/"'+''.join(re.sub(r'([][(){}.*+?^$|\\/\-&~#"])', r'\\\1', o) if o.isprintable() and o.isascii() and o!='"' else (f'\\x{{{ord(o):X}}}') for o in out)+'"/')
def _c(c):
    if c in '"\\': return '\\'+c
    if c in '\b\f\n\r\t': return '\\'+'bfnrt'['\b\f\n\r\t'.index(c)]
    if c<' ' or c=='\x7f': return f'\\u{ord(c):04x}'
    return c
CH=r'([^"\\\x00-\x1f\x7f]|\\["\\bfnrt]|\\u00(0[0-7bef]|1[0-9a-f]|7f))'
def terminal(*, patterns=(), not_patterns=(), min_length=0, max_length=None, not_texts=()):
    if patterns or not_patterns: raise NotSayableError('patterns not yet')
    q = '*' if not min_length and max_length is None else '{%d,%s}'%(min_length, '' if max_length is None else max_length)
    t='/"'+CH+q+'"/'
    if not_texts:
        t+=' & ~('+' | '.join(literal(x).text for x in not_texts)+')'
    return Terminal(t)

def spelled(text):
    return '"'+''.join(map(_c,text))+'"'
