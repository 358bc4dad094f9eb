"""`ngramspec fuzz` as a library: a `Campaign` of scenes; and `play` and `judge`, which repeat what a failure prints.

It needs hypothesis: `pip install 'ngramspec[fuzz]'`.
"""

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:
    raise ImportError("ngramspec fuzz needs hypothesis: pip install 'ngramspec[fuzz]'") from error

from ngramspec.testing.adversary import Slip
from ngramspec.testing.constraints import Constraint
from ngramspec.testing.fuzzing.agreeing import BACKENDS, judge
from ngramspec.testing.fuzzing.campaign import Campaign, Failure, Result
from ngramspec.testing.fuzzing.checks import DefectError
from ngramspec.testing.fuzzing.corpus import read_constraint, read_corpus
from ngramspec.testing.fuzzing.playing import play
from ngramspec.testing.fuzzing.scene import Scene, Writer, vocabulary_of
from ngramspec.testing.fuzzing.tally import SHARES, Tally
from ngramspec.testing.tokens import Tokens

__all__ = [
    "BACKENDS",
    "SHARES",
    "Campaign",
    "Constraint",
    "DefectError",
    "Failure",
    "Result",
    "Scene",
    "Slip",
    "Tally",
    "Tokens",
    "Writer",
    "judge",
    "play",
    "read_constraint",
    "read_corpus",
    "vocabulary_of",
]
