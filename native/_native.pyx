# cython: language_level=3, boundscheck=False, wraparound=False, binding=False
"""The hot core of drafting, compiled: the interface of `ngramspec.drafting.core`, over the C++ beside this file.

A row is used by one thread at a time. Rows may read an index while it grows, and rows of several threads learn into one
Survival. The interpreter's lock is released while many rows draft or a long text is read; for a single row or a few
tokens, releasing it would cost more than it saves.
"""

from cpython.ref cimport PyObject
from libc.stdint cimport INT32_MAX, int32_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

import os

import numpy as np

from ngramspec.drafting.core.plain.spelling import checked_vocabulary
from ngramspec.drafting.core.plain.suffix_index import Match
from ngramspec.drafting.core.plain.survival import first_parameters
from ngramspec.drafting.types import NO_DRAFT, NO_SURVIVAL, Draft, Tree


cdef extern from "arrays.hpp" namespace "ngramspec":
    cppclass Tokens:
        cbool take(PyObject*)
        const int32_t* begin() nogil
        const int32_t* end()
        size_t size() nogil

    int fill(PyObject*, const void*, size_t) except -1

cdef extern from "constants.hpp" namespace "ngramspec":
    cppclass Constant:
        const char* module
        const char* name
        double value

    Constant[] CONSTANTS
    int NUM_CONSTANTS "(sizeof(ngramspec::CONSTANTS) / sizeof(ngramspec::Constant))"
    int NUM_WEIGHTS, NUM_PARAMETERS, MAX_COMPARED, NUM_LIKELY
    const char* SOURCES "NGRAMSPEC_SOURCES"

cdef extern from "row.hpp" namespace "ngramspec" nogil:
    cppclass CppMatch "ngramspec::Match":
        int length, start

    cppclass SharedMutex:
        @staticmethod
        void renew_all()

    cppclass SharedIndex:
        int size()
        void extend(const int32_t*, size_t) except +
        vector[int32_t] read(int, int) except +
        CppMatch latest_longest_match(int)
        CppMatch find(const int32_t*, size_t)
        size_t nbytes()

    cppclass CppTokenBytes "ngramspec::TokenBytes":
        void add(const char*, size_t) except +

    cppclass Mixer:
        double parameter(int)
        void set_parameter(int, double)

    cppclass CppSurvival "ngramspec::Survival":
        Mixer mixer
        double weight(int)
        double rate(int)
        void set(int, double, double)

    cppclass CppRow "ngramspec::Row":
        CppRow(CppSurvival&, const SharedIndex&, const CppTokenBytes*) except +
        void refer(const int32_t*, size_t) except +
        void begin(const int32_t*, size_t, int) except +
        void extend(const int32_t*, size_t, const int32_t*) except +
        void propose(int, double) except +
        void propose_tree(int, double) except +
        void steer(int, double, PyObject*, PyObject*, PyObject*, cbool) except +
        int size()
        const int32_t* tokens()
        const int32_t* parents()
        const double* survivals()
        cbool is_unsure()
        const vector[int32_t]& answer()
        size_t nbytes()

    cppclass RowsInUse:
        void add(CppRow*) except +
        void propose(const vector[int]&, double) except +
        void propose_trees(const vector[int]&, double) except +


sources = SOURCES.decode()
constants = {
    (CONSTANTS[i].module.decode(), CONSTANTS[i].name.decode()): CONSTANTS[i].value for i in range(NUM_CONSTANTS)
}

cdef size_t LONG = 256
"""From this many tokens on, a text is read without the interpreter's lock."""


def _renew_locks():
    SharedMutex.renew_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


cdef int take(Tokens& tokens, array) except -1:
    """Hold the numbers of `array`, or of a copy if it is not a contiguous `int32[n]`."""
    if not tokens.take(<PyObject*>array):
        array = np.array(array, np.int32, ndmin=1)
        if not tokens.take(<PyObject*>array):
            raise TypeError(f"tokens must be int32[n], got {array.dtype}{list(array.shape)}")
    return 0


cdef tokens_of(const int32_t* numbers, size_t size):
    tokens = np.empty(size, np.int32)
    fill(<PyObject*>tokens, numbers, size * sizeof(int32_t))
    return tokens


cdef floats_of(const double* numbers, size_t size):
    floats = np.empty(size)
    fill(<PyObject*>floats, numbers, size * sizeof(double))
    return floats


cdef int take_likely(Tokens& tokens, likely, size_t size) except -1:
    """Hold the numbers of `likely` `int32[size, NUM_LIKELY]`."""
    if likely.shape != (size, NUM_LIKELY):
        raise ValueError(f"likely tokens must be int32[{size}, {NUM_LIKELY}], got {likely.dtype}{list(likely.shape)}")
    return take(tokens, likely.ravel())


cdef int within_int32(number):
    return <int>max(-1, min(number, INT32_MAX))


cdef class SuffixIndex:
    """See plain/suffix_index.py."""

    cdef SharedIndex shared

    def __len__(self):
        return self.shared.size()

    @property
    def text(self):
        return self.read(0, self.shared.size())

    @property
    def nbytes(self):
        return self.shared.nbytes()

    def read(self, start, end):
        first, after, _ = slice(start, end).indices(self.shared.size())
        cdef vector[int32_t] numbers = self.shared.read(first, after)
        return tokens_of(numbers.data(), numbers.size())

    def extend(self, tokens):
        cdef Tokens taken
        take(taken, tokens)
        if taken.size() < LONG:
            self.shared.extend(taken.begin(), taken.size())
        else:
            with nogil:
                self.shared.extend(taken.begin(), taken.size())

    def latest_longest_match(self, max_compared=None):
        cdef CppMatch match = self.shared.latest_longest_match(max_compared or MAX_COMPARED)
        return Match(match.length, match.start)

    def find(self, tail):
        cdef Tokens taken
        take(taken, tail)
        cdef CppMatch match = self.shared.find(taken.end(), taken.size())
        return Match(match.length, match.start)


cdef class TokenBytes:
    """See plain/spelling.py."""

    cdef CppTokenBytes bytes
    cdef readonly object tokens

    def __cinit__(self, vocabulary):
        self.tokens = checked_vocabulary(vocabulary)
        for token in self.tokens:
            self.bytes.add(token, len(token))


cdef class Survival:
    """See plain/survival.py."""

    cdef CppSurvival survival

    def __cinit__(self, *, knows_nothing=False):
        self._learn(first_parameters(knows_nothing))

    def __reduce__(self):
        return _survival_of, (self.parameters(), self.mixing())

    @property
    def weights(self):
        return self.parameters()[0].tolist()

    def parameters(self):
        cdef vector[double] numbers
        for i in range(NUM_WEIGHTS):
            numbers.push_back(self.survival.weight(i))
        for i in range(NUM_WEIGHTS):
            numbers.push_back(self.survival.rate(i))
        return floats_of(numbers.data(), numbers.size()).reshape(2, NUM_WEIGHTS)

    def mixing(self):
        cdef vector[double] numbers
        for i in range(NUM_PARAMETERS):
            numbers.push_back(self.survival.mixer.parameter(i))
        return floats_of(numbers.data(), numbers.size())

    def take_over(self, parameters, mixing):
        if parameters.shape != (2, NUM_WEIGHTS):
            got = f"{parameters.dtype}{list(parameters.shape)}"
            raise ValueError(f"parameters must be float64[2, {NUM_WEIGHTS}], got {got}")
        if mixing.shape != (NUM_PARAMETERS,):
            raise ValueError(f"mixing must be float64[{NUM_PARAMETERS}], got {mixing.dtype}{list(mixing.shape)}")
        self._learn(parameters)
        for i, number in enumerate(mixing.tolist()):
            self.survival.mixer.set_parameter(i, number)

    cdef _learn(self, parameters):
        for i, (weight, rate) in enumerate(parameters.T.tolist()):
            self.survival.set(i, weight, rate)


def _survival_of(parameters, mixing):
    survival = Survival(knows_nothing=True)
    survival.take_over(parameters, mixing)
    return survival


cdef class Row:
    """See plain/row.py."""

    cdef CppRow* row
    cdef readonly SuffixIndex history
    cdef Survival survival  # this and the vocabulary live as long as the row
    cdef TokenBytes vocabulary

    def __cinit__(
        self, Survival survival not None, SuffixIndex history not None, references=(), TokenBytes vocabulary=None
    ):
        self.survival, self.history, self.vocabulary = survival, history, vocabulary
        cdef const CppTokenBytes* known = NULL
        if vocabulary is not None:
            known = &vocabulary.bytes
        self.row = new CppRow(survival.survival, history.shared, known)
        for reference in references:
            self._refer(reference)

    def __dealloc__(self):
        del self.row

    cdef int _refer(self, reference) except -1:
        cdef Tokens taken
        take(taken, reference)
        with nogil:
            self.row.refer(taken.begin(), taken.size())
        return 0

    @property
    def answer(self):
        cdef RowsInUse use
        use.add(self.row)
        return tokens_of(self.row.answer().data() + 1, self.row.answer().size() - 1)

    @property
    def nbytes(self):
        cdef RowsInUse use
        use.add(self.row)
        return self.row.nbytes()

    def begin(self, prompt, likely_start):
        cdef Tokens taken
        cdef RowsInUse use
        cdef int start = within_int32(likely_start)
        take(taken, prompt)
        use.add(self.row)
        with nogil:
            self.row.begin(taken.begin(), taken.size(), start)

    def extend(self, tokens, likely=None):
        cdef Tokens taken, noted
        cdef RowsInUse use
        cdef const int32_t* numbers = NULL
        take(taken, tokens)
        if likely is not None:
            take_likely(noted, likely, taken.size())
            numbers = noted.begin()
        use.add(self.row)
        self.row.extend(taken.begin(), taken.size(), numbers)

    def propose(self, max_tokens, double min_survival, steering=None):
        cdef RowsInUse use
        cdef int most = within_int32(max_tokens)
        use.add(self.row)
        if steering is None:
            self.row.propose(most, min_survival)
        else:
            self._steer(most, min_survival, steering, False)
        cdef size_t size = self.row.size()
        if not size:
            return Draft(NO_DRAFT, NO_SURVIVAL, self.row.is_unsure())
        return Draft(tokens_of(self.row.tokens(), size), floats_of(self.row.survivals(), size), self.row.is_unsure())

    def propose_tree(self, max_nodes, double min_survival, steering=None):
        cdef RowsInUse use
        cdef int most = within_int32(max_nodes)
        use.add(self.row)
        if steering is None:
            self.row.propose_tree(most, min_survival)
        else:
            self._steer(most, min_survival, steering, True)
        cdef size_t size = self.row.size()
        return Tree(
            tokens_of(self.row.tokens(), size),
            floats_of(self.row.survivals(), size),
            self.row.is_unsure(),
            parents=tokens_of(self.row.parents(), size),
        )

    cdef int _steer(self, int most, double min_survival, steering, cbool branches) except -1:
        foreseen, forced, push = steering.foreseen, steering.forced, steering.push
        self.row.steer(
            most, min_survival, <PyObject*>foreseen, <PyObject*>forced, <PyObject*>push, branches
        )
        return 0


def propose_all(rows, max_tokens, min_survival):
    """See plain/__init__.py. The interpreter's lock is released, and all drafts are views into two arrays."""
    return _propose_all(list(rows), max_tokens, min_survival, False)  # the list keeps the rows alive during the call


def propose_trees(rows, max_nodes, min_survival):
    """See plain/__init__.py, and `propose_all`."""
    return _propose_all(list(rows), max_nodes, min_survival, True)


cdef _propose_all(list rows, max_tokens, double min_survival, cbool branches):
    cdef RowsInUse use
    cdef vector[CppRow*] used
    cdef vector[int] most
    cdef vector[int32_t] tokens, parents
    cdef vector[double] survivals
    cdef Row row
    cdef CppRow* each
    for row, room in zip(rows, max_tokens, strict=True):
        use.add(row.row)
        used.push_back(row.row)
        most.push_back(within_int32(room))
    with nogil:
        if branches:
            use.propose_trees(most, min_survival)
        else:
            use.propose(most, min_survival)
        for each in used:
            tokens.insert(tokens.end(), each.tokens(), each.tokens() + each.size())
            survivals.insert(survivals.end(), each.survivals(), each.survivals() + each.size())
            if branches:
                parents.insert(parents.end(), each.parents(), each.parents() + each.size())
    all_tokens, all_survivals = tokens_of(tokens.data(), tokens.size()), floats_of(survivals.data(), survivals.size())
    all_parents = tokens_of(parents.data(), parents.size())
    drafts, start = [], 0
    for each in used:
        end, is_unsure = start + each.size(), each.is_unsure()
        if branches:
            some = all_tokens[start:end], all_survivals[start:end], is_unsure
            drafts.append(Tree(*some, parents=all_parents[start:end]))
        elif start == end:
            drafts.append(Draft(NO_DRAFT, NO_SURVIVAL, is_unsure))
        else:
            drafts.append(Draft(all_tokens[start:end], all_survivals[start:end], is_unsure))
        start = end
    return drafts
