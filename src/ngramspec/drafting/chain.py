"""A draft, token by token: what the surest of several sources says behind what has been drafted so far."""

from collections.abc import Sequence
from operator import attrgetter

from ngramspec.drafting.pointers import Pointer
from ngramspec.drafting.sources import Source
from ngramspec.drafting.spelling import SpelledIndex
from ngramspec.drafting.suffix_index import MAX_FOUND
from ngramspec.drafting.survival import AHEAD, FURTHEST, LONGEST, Lesson, Survival
from ngramspec.drafting.types import Steering

_SURE = 16
"""Where so many tokens agree, copies in progress say no more than the match."""

_PLAIN = 4
"""Where so many tokens agree, how they are spelled says no more."""

_FAINT = 0.1
"""Below this survival the draft goes on with one source alone: further ones would cost more than they bring."""

_LIKELY = 0.35
"""Down to this survival a match that says otherwise than what is drafted is looked up anew; below it is left out."""

_OWN, _PAST = 0, 1
"""Numbers of the pointers that are matches."""

_LENGTH = attrgetter("length")


class Chain:
    """Drafts for one row. Its sources are its own text, what its segment answered, a copy in progress of each, and,
    where the vocabulary is known, places in its own text that are spelled as its end is.

    choices: the tokens of the last draft, and one that was not sure enough any more: if all before it are right, it
        teaches too. survivals: of each token of the draft. lessons: what was thought of `choices`, and of others in
        their place. match_length: tokens of the longer match that the draft began with.
    """

    __slots__ = (
        "_own",
        "_past",
        "_pointers",
        "_segment",
        "_spelled",
        "_survival",
        "choices",
        "lessons",
        "match_length",
        "survivals",
    )

    def __init__(
        self, own: Source, past: Source, survival: Survival, segment: int, spelled: SpelledIndex | None = None
    ) -> None:
        """Draft from these two texts, for traffic whose weights are at `segment`; spelled: of the own text."""
        self._own, self._past, self._spelled = own, past, spelled
        self._survival, self._segment = survival, segment
        self._pointers = [Pointer(source.index, number) for number, source in enumerate((own, past, own, past, own))]
        self.match_length = 0
        self.forget()

    def forget(self) -> None:
        """There is no last draft any more."""
        self.choices: list[int] = []
        self.survivals: list[float] = []
        self.lessons: list[Lesson] = []

    def draft(self, answer: Sequence[int], recent: int, max_tokens: int, min_survival: float) -> None:
        """Draft behind the row's text, of which `answer` is what the history is searched for; recent: see `weigh`."""
        self.forget()
        choices, survivals, lessons = self.choices, self.survivals, self.lessons
        weigh, segment = self._survival.weigh, self._segment
        pointers = self._begin(answer)
        survival = 1.0
        while pointers:
            longest = max(pointers, key=_LENGTH) if len(pointers) > 1 else pointers[0]
            if longest.length >= LONGEST or survival < _FAINT or len(pointers) == 1:
                self._copy_on(longest, survival, recent, max_tokens, min_survival)
                return
            offers: dict[int, int] = {}
            states, drafted = 0, len(choices)
            for pointer in pointers:
                state = pointer.offer(choices)
                if state:
                    states |= state
                    offers[pointer.token] = offers.get(pointer.token, 0) | pointer.speaking
            best, highest = -1, 0.0
            ahead = AHEAD[drafted if drafted < FURTHEST else FURTHEST]
            for offered, speaking in offers.items():
                probability, features = weigh(states | speaking, recent, segment, ahead)
                lessons.append((drafted, offered, probability, features))
                if probability > highest:
                    best, highest = offered, probability
            if not offers:
                return
            choices.append(best)
            survival *= highest
            if drafted == max_tokens or survival < min_survival:
                return
            survivals.append(survival)
            kept = []
            for pointer in pointers:
                if pointer.token == best:
                    pointer.advance()
                    kept.append(pointer)
                elif survival >= _LIKELY and pointer.token >= 0 and self._look_up(pointer, answer):
                    kept.append(pointer)
            pointers = kept

    def steer(
        self, answer: Sequence[int], recent: int, max_tokens: int, min_survival: float, steering: Steering
    ) -> None:
        """As `draft`, within what `steering` allows, and with what it foresees as one more source."""
        self.forget()
        pointers, survival = self._begin(answer), 1.0
        while found := self._surest_legal(pointers, recent, steering):
            probability, token = found
            survival *= probability
            self.choices.append(token)
            if len(self.survivals) == max_tokens or survival < min_survival:
                return
            self.survivals.append(survival)
            pointers = [pointer for pointer in pointers if self._follows(pointer, token, survival, answer)]

    def _surest_legal(self, pointers: Sequence[Pointer], recent: int, steering: Steering) -> tuple[float, int] | None:
        """How probable the next token is, and the token: of those offered the surest that can be pushed."""
        offers: dict[int, int] = {}
        states = 0
        for pointer in pointers:
            state = pointer.offer(self.choices)
            if state:
                states |= state
                offers[pointer.token] = offers.get(pointer.token, 0) | pointer.speaking
        foreseen = steering.foreseen() or (-1, -1)
        if foreseen[0] >= 0:
            offers.setdefault(foreseen[0], 0)
        weighed = [self._weighed(token, states | speaking, recent, foreseen) for token, speaking in offers.items()]
        weighed.sort(reverse=True)
        found = next((found for found in weighed if steering.push(found[1])), None)
        if found is None and foreseen[0] >= 0:  # what is foreseen was refused, and may have hidden what must come
            forced = steering.forced()
            if forced is not None and forced[0] not in offers and steering.push(forced[0]):
                return self._weighed(forced[0], states, recent, forced)
        return found

    def _weighed(self, token: int, key: int, recent: int, foreseen: tuple[int, int]) -> tuple[float, int]:
        """How probable `token` is in the next place of the draft, and the token; a lesson for later."""
        drafted = len(self.choices)
        ahead = AHEAD[drafted if drafted < FURTHEST else FURTHEST]
        probability, features = self._survival.weigh_steered(
            key, recent, self._segment, ahead, foreseen[1], token == foreseen[0]
        )
        self.lessons.append((drafted, token, probability, features))
        return probability, token

    def _follows(self, pointer: Pointer, token: int, survival: float, answer: Sequence[int]) -> bool:
        """Whether `pointer` goes on behind `token`, which was drafted: from where it is, or looked up anew."""
        if pointer.token == token:
            pointer.advance()
            return True
        return survival >= _FAINT and pointer.token >= 0 and self._look_up(pointer, answer)

    def _begin(self, answer: Sequence[int]) -> list[Pointer]:
        own, past = self._own, self._past
        if own.length < 0:
            own.take(own.index.latest_longest_match(MAX_FOUND))
        if past.length < 0:
            past.take(past.index.find(answer))
        self.match_length = max(own.length, past.length)
        match, past_match, copy, past_copy, spelled = self._pointers
        pointers: list[Pointer] = []
        if own.length:
            match.put(own.start, own.length)
            pointers.append(match)
        if past.length:
            past_match.put(past.start, past.length)
            pointers.append(past_match)
        if self.match_length >= _SURE:
            return pointers
        if own.copy.start >= 0:
            copy.put(own.copy.start, own.copy.length, own.copy.misses)
            _add(copy, match if own.length else None, pointers)
        if past.copy.start >= 0:
            past_copy.put(past.copy.start, past.copy.length, past.copy.misses)
            _add(past_copy, past_match if past.length else None, pointers)
        if self._spelled is not None and self.match_length < _PLAIN:
            length, start = self._spelled.find()
            # Where a match or a copy already is, there is nothing else to be said.
            if length and start not in (own.start if own.length else -1, own.copy.start):
                spelled.put(start, length)
                pointers.append(spelled)
        return pointers

    def _look_up(self, pointer: Pointer, answer: Sequence[int]) -> bool:
        """Look a match up anew, for it said otherwise; returns whether there is one."""
        if pointer.number == _OWN:
            index, before = self._own.index, self._own.index.text[-MAX_FOUND:].tolist()
        elif pointer.number == _PAST:
            index, before = self._past.index, list(answer[-MAX_FOUND:])
        else:
            return False
        match = index.find(before + self.choices)
        pointer.put(match.start, match.length)
        return match.length > 0

    def _copy_on(self, pointer: Pointer, survival: float, recent: int, max_tokens: int, min_survival: float) -> None:
        """Draft on from one source alone."""
        choices, survivals, lessons = self.choices, self.survivals, self.lessons
        weigh, segment = self._survival.weigh, self._segment
        weighed, further = 0, -1
        drafted = len(choices)
        while state := pointer.offer(choices):
            ahead = AHEAD[drafted if drafted < FURTHEST else FURTHEST]
            if state != weighed or further != ahead:  # of a long copy both are the same from token to token
                weighed, further = state, ahead
                probability, features = weigh(state | pointer.speaking, recent, segment, ahead)
            token = pointer.token
            lessons.append((drafted, token, probability, features))
            choices.append(token)
            survival *= probability
            if drafted == max_tokens or survival < min_survival:
                return
            survivals.append(survival)
            drafted += 1
            pointer.advance()


def _add(pointer: Pointer, match: Pointer | None, pointers: list[Pointer]) -> None:
    """Have `pointer` in the draft: by itself, or as a part of the match that is at the same place."""
    if match is not None and match.start == pointer.start:
        match.join(pointer)
    else:
        pointers.append(pointer)
