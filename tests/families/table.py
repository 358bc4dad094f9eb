"""The page that says what became of each family."""
from collections import Counter
import torch, transformers
from tests.families.trial import Result
def page(results): return str(results)
