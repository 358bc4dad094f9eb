"""A draft, token by token: what the surest of several sources says behind what has been drafted so far."""

from ngramspec.drafting.history import SEPARATOR
from ngramspec.drafting.sources import Source
from ngramspec.drafting.suffix_index import MAX_FOUND
from ngramspec.drafting.survival import LONGEST, STATES, Lesson, Survival

_SURE = 16
"""While so many tokens agree, copies in progress say no more than the match."""

_FAINT = 0.1
"""Below this survival the draft goes on with one match alone: further ones would cost more than they bring."""

_OWN, _PAST, _OWN_COPY, _PAST_COPY = 22, 16, 10, 4
"""Where the state of a source stands in the key that `Survival.weigh` takes."""


class Chain:
    """Drafts for one row. Its sources are its own text, what its segment answered, and a copy in progress of each.

    A source that says otherwise than what is drafted is left out of the rest of the draft.

    choices: the tokens of the last draft, and one that was not sure enough any more: if all before it are right, it
        teaches too. survivals: of each token of the draft. lessons: what was thought of `choices`, and of others in
        their place. match_length: tokens of the longer match that the draft began with.
    """

    __slots__ = ("_own", "_past", "_segment", "_survival", "choices", "lessons", "match_length", "survivals")

    def __init__(self, own: Source, past: Source, survival: Survival, segment: int) -> None:
        """Draft from these two texts, for traffic whose weights are at `segment`."""
        self._own, self._past, self._survival, self._segment = own, past, survival, segment
        self.match_length = 0
        self.forget()

    def forget(self) -> None:
        """There is no last draft any more."""
        self.choices: list[int] = []
        self.survivals: list[float] = []
        self.lessons: list[Lesson] = []

    def draft(self, answer: list[int], recent: int, max_tokens: int, min_survival: float) -> None:
        """Draft behind the row's text, of which `answer` is what the history is searched for; recent: see `weigh`."""
        own, past, weigh, segment = self._own, self._past, self._survival.weigh, self._segment
        if own.length < 0:
            own.take(own.index.latest_longest_match(MAX_FOUND))
        if past.length < 0:
            past.take(past.index.find(answer))
        self.match_length = max(own.length, past.length)
        self.forget()
        choices, survivals, lessons = self.choices, self.survivals, self.lessons
        # The history may grow meanwhile: its size first, for a text that is read later has room for as many tokens.
        size, past_size = len(own.index), len(past.index)
        text, past_text = own.index.tokens, past.index.tokens
        start, past_start, copy, past_copy = own.start, past.start, own.copy.start, past.copy.start
        length, past_length = min(own.length, LONGEST), min(past.length, LONGEST)
        copied, past_copied = min(own.copy.length, LONGEST), min(past.copy.length, LONGEST)
        misses, past_misses = min(own.copy.misses, 3), min(past.copy.misses, 3)
        survival = 1.0
        while length < LONGEST and past_length < LONGEST and (survival >= _FAINT or not (length or past_length)):
            offers: dict[int, int] = {}
            states, drafted = 0, len(choices)
            token = past_token = copy_token = past_copy_token = -1
            if length:
                if start < size:
                    token = text[start]
                    states = STATES[length] + own.index.agreement(start, length) << _OWN
                else:  # the copy has reached what was drafted, and goes on with it: a period
                    token = choices[start - size]
                    states = STATES[length] << _OWN
                offers[token] = 1
            if past_length and past_start < past_size and past_text[past_start] != SEPARATOR:
                past_token = past_text[past_start]
                states |= STATES[past_length] + past.index.agreement(past_start, past_length) << _PAST
                offers[past_token] = offers.get(past_token, 0) | 2
            if length < _SURE and past_length < _SURE:
                if 0 <= copy < size:
                    copy_token = text[copy]
                    states |= STATES[copied] + misses << _OWN_COPY
                    offers[copy_token] = offers.get(copy_token, 0) | 4
                if 0 <= past_copy < past_size and past_text[past_copy] != SEPARATOR:
                    past_copy_token = past_text[past_copy]
                    states |= STATES[past_copied] + past_misses << _PAST_COPY
                    offers[past_copy_token] = offers.get(past_copy_token, 0) | 8
            if not offers:
                return
            best, highest = -1, -1.0
            for offered, speaking in offers.items():
                probability, features = weigh(states | speaking, recent, segment)
                lessons.append((drafted, offered, probability, features))
                if probability > highest:
                    best, highest = offered, probability
            survival *= highest
            choices.append(best)
            if drafted == max_tokens or survival < min_survival:
                return
            survivals.append(survival)
            start, length = start + 1, length + 1 if token == best else 0
            past_start, past_length = past_start + 1, past_length + 1 if past_token == best else 0
            copy, copied = copy + 1 if copy_token == best else -1, min(copied + 1, LONGEST)
            past_copy, past_copied = past_copy + 1 if past_copy_token == best else -1, min(past_copied + 1, LONGEST)
        if length >= LONGEST or (past_length < LONGEST and length >= past_length):
            self._copy_on(own, start, size, length, _OWN, recent, survival, max_tokens, min_survival)
        else:
            self._copy_on(past, past_start, past_size, past_length, _PAST, recent, survival, max_tokens, min_survival)

    def _copy_on(
        self,
        source: Source,
        start: int,
        size: int,
        length: int,
        place: int,
        recent: int,
        survival: float,
        max_tokens: int,
        min_survival: float,
    ) -> None:
        """Draft on from one match alone."""
        choices, survivals, lessons = self.choices, self.survivals, self.lessons
        text, speaking, known = source.index.tokens, 1 if place == _OWN else 2, -1
        while True:
            state = STATES[length]
            if start < size:
                token = text[start]
                state += source.index.agreement(start, length)
            elif place == _OWN:
                token = choices[start - size]
            else:
                return
            if token == SEPARATOR:
                return
            if state != known:  # of a long copy it is the same from token to token
                known = state
                probability, features = self._survival.weigh(state << place | speaking, recent, self._segment)
            lessons.append((len(choices), token, probability, features))
            choices.append(token)
            survival *= probability
            if len(survivals) == max_tokens or survival < min_survival:
                return
            survivals.append(survival)
            start += 1
            length = min(length + 1, LONGEST)
