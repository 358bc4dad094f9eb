"""A draft, token by token: each is the surest that several sources offer after those drafted so far."""

from collections.abc import Sequence
from operator import attrgetter, itemgetter

from ngramspec.drafting.core.plain.features import AHEAD, FURTHEST, NOT_FORESEEN, foreseen_index
from ngramspec.drafting.core.plain.key import LONGEST, OWN, PAST
from ngramspec.drafting.core.plain.pointers import Pointer
from ngramspec.drafting.core.plain.sources import Source
from ngramspec.drafting.core.plain.spelling import SpelledIndex
from ngramspec.drafting.core.plain.suffix_index import MAX_FOUND
from ngramspec.drafting.core.plain.survival import Lesson, Survival
from ngramspec.drafting.types import Steering

_SURE = 16
"""From this many agreeing tokens on, copies in progress add nothing to the match."""

_PLAIN = 4
"""From this many agreeing tokens on, spelling adds nothing to the match."""

_FAINT = 0.1
"""Below this survival the draft goes on with a single source: further ones would cost more than they gain."""

_LENGTH = attrgetter("length")
_PROBABILITY = itemgetter(0)


class Unsteered:
    """A grammar that allows everything and foresees nothing: blind drafting is steered by this."""

    def foreseen(self) -> None:
        """Nothing."""

    def forced(self) -> None:
        """Nothing."""

    def push(self, token: int) -> bool:
        """Every token is allowed."""
        return True


UNSTEERED = Unsteered()


class Chain:
    """Drafts for one row. Its sources are its own text, its segment's history, a copy in progress from each and, if the
    vocabulary is known, positions of its own text that are spelled like its end.

    choices: the tokens of the last draft, plus the first token below the threshold, kept for learning: if all before
        it are right, it is a lesson, too. survivals: of each token of the draft. lessons: the estimates for `choices`,
        and for the other tokens that were offered at their positions.
    """

    __slots__ = ("_own", "_past", "_pointers", "_spelled", "_survival", "choices", "lessons", "survivals")

    def __init__(self, own: Source, past: Source, survival: Survival, spelled: SpelledIndex | None = None) -> None:
        """Draft from these two texts; spelled: index of the own text by spelling."""
        self._own, self._past, self._spelled = own, past, spelled
        self._survival = survival
        self._pointers = [Pointer(source.index, number) for number, source in enumerate((own, past, own, past, own))]
        self.forget()

    def forget(self) -> None:
        """Drop the last draft."""
        self.choices: list[int] = []
        self.survivals: list[float] = []
        self.lessons: list[Lesson] = []

    def draft(
        self, answer: Sequence[int], recent: int, max_tokens: int, min_survival: float, steering: Steering = UNSTEERED
    ) -> None:
        """Draft after the row's text, within what `steering` allows; what it foresees is one more source.

        answer: the end of the row's text, for which the history is searched. recent: see `Survival.weigh`.
        """
        self.forget()
        choices, survivals = self.choices, self.survivals
        pointers, survival = self._begin(answer), 1.0
        is_blind = steering is UNSTEERED
        while pointers or not is_blind:
            if is_blind:
                longest = max(pointers, key=_LENGTH) if len(pointers) > 1 else pointers[0]
                if longest.length >= LONGEST or survival < _FAINT or len(pointers) == 1:
                    self._copy_on(longest, survival, recent, max_tokens, min_survival)
                    return
            surest = self._surest(pointers, recent, steering)
            if surest is None:
                return
            probability, token, is_foreseen = surest
            choices.append(token)
            survival *= probability
            if len(survivals) == max_tokens or survival < min_survival:
                return
            survivals.append(survival)
            kept = []
            for pointer in pointers:
                if pointer.token == token:
                    pointer.advance()
                    kept.append(pointer)
                elif is_foreseen and survival >= _FAINT and pointer.token >= 0 and self._look_up(pointer, answer):
                    kept.append(pointer)
            pointers = kept

    def offers(self) -> list[dict[int, float]]:
        """All tokens offered at each position of the last draft, with their probabilities, the drafted token first. The
        first position below the threshold is included.
        """
        offers: list[dict[int, float]] = [{token: 0.0} for token in self.choices]
        for position, token, probability, _ in self.lessons:
            if position < len(offers):
                offers[position][token] = probability
        return offers

    def _surest(self, pointers: Sequence[Pointer], recent: int, steering: Steering) -> tuple[float, int, bool] | None:
        """The surest of the offered tokens that can be pushed, its probability, and whether it is foreseen.

        Returns (probability, token, is foreseen), or None if no token is possible.
        """
        choices, states = self.choices, 0
        offers: dict[int, int] = {}
        for pointer in pointers:
            state = pointer.offer(choices)
            if state:
                states |= state
                offers[pointer.token] = offers.get(pointer.token, 0) | pointer.offering
        foreseen = steering.foreseen()
        if foreseen is not None:
            offers.setdefault(foreseen[0], 0)
        for probability, token in self._weighed(offers, states, recent, foreseen):
            if steering.push(token):
                return probability, token, foreseen is not None and token == foreseen[0]
        if foreseen is not None:  # it was refused, and may have hidden a forced token
            forced = steering.forced()
            if forced is not None and forced[0] not in offers and steering.push(forced[0]):
                [(probability, token)] = self._weighed({forced[0]: 0}, states, recent, forced)
                return probability, token, True
        return None

    def _weighed(
        self, offers: dict[int, int], states: int, recent: int, foreseen: tuple[int, int] | None
    ) -> list[tuple[float, int]]:
        """The probability of each token in `offers` at the next position, the surest first; notes lessons for later.

        offers: for each token, the bits of the sources that offer it. states: of all sources.
        """
        drafted, weigh, lessons = len(self.choices), self._survival.weigh, self.lessons
        ahead = AHEAD[drafted if drafted < FURTHEST else FURTHEST]
        weighed, evidence = [], NOT_FORESEEN
        for token, offered in offers.items():
            if foreseen is not None:
                evidence = foreseen_index(foreseen[1], token == foreseen[0])
            probability, features = weigh(states | offered, recent, ahead, evidence)
            lessons.append((drafted, token, probability, features))
            weighed.append((probability, token))
        if len(weighed) > 1:
            weighed.sort(key=_PROBABILITY, reverse=True)
        return weighed

    def _begin(self, answer: Sequence[int]) -> list[Pointer]:
        own, past = self._own, self._past
        if own.length < 0:
            own.take(own.index.latest_longest_match(MAX_FOUND))
        if past.length < 0:
            past.take(past.index.find(answer))
        agreeing = max(own.length, past.length)
        match, past_match, copy, past_copy, spelled = self._pointers
        pointers: list[Pointer] = []
        if own.length:
            match.put(own.start, own.length)
            pointers.append(match)
        if past.length:
            past_match.put(past.start, past.length)
            pointers.append(past_match)
        if agreeing >= _SURE:
            return pointers
        if own.copy.start >= 0:
            copy.put(own.copy.start, own.copy.length, own.copy.misses)
            _add(copy, match if own.length else None, pointers)
        if past.copy.start >= 0:
            past_copy.put(past.copy.start, past.copy.length, past.copy.misses)
            _add(past_copy, past_match if past.length else None, pointers)
        if self._spelled is not None and agreeing < _PLAIN:
            length, start = self._spelled.find()
            # At the position of a match or a copy, this adds nothing.
            if length and start not in (own.start if own.length else -1, own.copy.start):
                spelled.put(start, length)
                pointers.append(spelled)
        return pointers

    def _look_up(self, pointer: Pointer, answer: Sequence[int]) -> bool:
        """Look up a new match after a wrong offer; returns whether there is one."""
        if pointer.number == OWN:
            index, before = self._own.index, self._own.index.read(-MAX_FOUND, len(self._own.index)).tolist()
        elif pointer.number == PAST:
            index, before = self._past.index, list(answer[-MAX_FOUND:])
        else:
            return False
        match = index.find(before + self.choices)
        pointer.put(match.start, match.length)
        return match.length > 0

    def _copy_on(self, pointer: Pointer, survival: float, recent: int, max_tokens: int, min_survival: float) -> None:
        """Go on drafting from a single source, blindly."""
        choices, survivals, lessons = self.choices, self.survivals, self.lessons
        weigh, weighed, further = self._survival.weigh, 0, -1
        drafted = len(choices)
        while state := pointer.offer(choices):
            ahead = AHEAD[drafted if drafted < FURTHEST else FURTHEST]
            if state != weighed or further != ahead:  # in a long copy both stay the same from token to token
                weighed, further = state, ahead
                probability, features = weigh(state | pointer.offering, recent, ahead)
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
    """Add `pointer` to the draft: on its own, or merged into the match at its position."""
    if match is not None and match.start == pointer.start:
        match.join(pointer)
    else:
        pointers.append(pointer)
