// A draft, token by token: each is the surest that several sources offer after those drafted so far. As plain/chain.py,
// whose comments say why.
#pragma once
#include "inline_vector.hpp"
#include "pointers.hpp"
#include "sources.hpp"
#include "spelling.hpp"
#include "steering.hpp"
#include "survival.hpp"

namespace ngramspec {

constexpr int SURE = 16, PLAIN = 4;
constexpr double FAINT = 0.1;

class Chain {
  public:
    // Most tokens offered at a position: by the sources, foreseen, or forced if those are refused.
    static constexpr int MOST_OFFERS = NUM_SOURCES + 2;

    // choices: the tokens of the last draft, plus the first one below the threshold, kept for learning. survivals: of
    // each token of the draft. lessons: the estimates for `choices`, and for the other tokens offered at their
    // positions.
    std::vector<int32_t> choices;
    std::vector<double> survivals;
    std::vector<Lesson> lessons;

    Chain(Source& own, Source& past, const Survival& survival, SpelledIndex* spelled)
        : own_(own), past_(past), survival_(survival), spelled_(spelled) {
        for (int number = 0; number < NUM_SOURCES; number++) {
            bool is_past = number == PAST || number == PAST_COPY;
            pointers_[number].index = is_past ? &past.index : &own.index;
            pointers_[number].number = number;
        }
    }

    void forget() {
        choices.clear();
        survivals.clear();
        lessons.clear();
        starts_.clear();
    }

    // answer: the end of the row's text, for which the history is searched. recent: see `recent_index`.
    template <class Steering>
    void draft(const std::vector<int32_t>& answer, int recent, int max_tokens, double min_survival,
               Steering& steering) {
        forget();
        recent_ = recent;
        Pointers pointers = begin(answer);
        double survival = 1.0;
        while (pointers.count || !Steering::is_blind) {
            if (Steering::is_blind) {
                Pointer& longest = longest_of(pointers);
                if (longest.length >= LONGEST || survival < FAINT || pointers.count == 1)
                    return copy_on(longest, survival, max_tokens, min_survival);
            }
            std::optional<WeighedOffer> surest = surest_of(pointers, steering);
            if (!surest) return;
            choices.push_back(surest->token);
            survival *= surest->probability;
            if (int(survivals.size()) == max_tokens || survival < min_survival) return;
            survivals.push_back(survival);
            bool looks_up = surest->is_foreseen && survival >= FAINT;
            Pointers kept;
            for (Pointer* pointer : pointers) {
                if (pointer->token == surest->token) {
                    pointer->advance();
                    kept.add(pointer);
                } else if (looks_up && pointer->token >= 0 && look_up(*pointer, answer)) {
                    kept.add(pointer);
                }
            }
            pointers = kept;
        }
    }

    // The tokens offered at a position of the last draft, with their probabilities, the drafted token first; none after
    // its end.
    template <class Offers>
    void offers_at(int position, Offers& offers) const {
        if (position >= int(choices.size())) return;
        offers.add({choices[position], 0.0});
        for (size_t i = starts_[position]; i < lessons.size() && lessons[i].position == position; i++) {
            const Lesson& lesson = lessons[i];
            if (lesson.token == offers.all[0].token)
                offers.all[0].chance = lesson.probability;
            else
                offers.add({lesson.token, lesson.probability});
        }
    }

  private:
    using Pointers = InlineVector<Pointer*, NUM_SOURCES>;

    // An offered token. offered: the bits of the sources that offer it.
    struct Offer {
        int32_t token;
        int offered;
    };
    struct Offers : InlineVector<Offer, NUM_SOURCES + 1> {
        bool has(int32_t token) {
            return std::any_of(begin(), end(), [&](const Offer& offer) { return offer.token == token; });
        }
        void join(int32_t token, int offered) {
            for (Offer& offer : *this)
                if (offer.token == token) {
                    offer.offered |= offered;
                    return;
                }
            add({token, offered});
        }
    };
    struct WeighedOffer {
        double probability;
        int32_t token;
        bool is_foreseen;
    };
    using WeighedOffers = InlineVector<WeighedOffer, NUM_SOURCES + 1>;

    static Pointer& longest_of(Pointers& pointers) {
        auto is_shorter = [](Pointer* one, Pointer* other) { return one->length < other->length; };
        return **std::max_element(pointers.begin(), pointers.end(), is_shorter);
    }

    // The surest of the offered tokens that can be pushed; nothing if no token is possible.
    template <class Steering>
    std::optional<WeighedOffer> surest_of(Pointers& pointers, Steering& steering) {
        Offers offers;
        States states;
        for (Pointer* pointer : pointers)
            if (pointer->offer(choices, states)) offers.join(pointer->token, pointer->offering);
        std::optional<Foreseen> foreseen = steering.foreseen();
        if (foreseen) offers.join(foreseen->token, 0);
        for (const WeighedOffer& each : weighed(offers, states, foreseen))
            if (steering.push(each.token)) return each;
        if (!foreseen) return {};
        std::optional<Foreseen> forced = steering.forced();  // the refused token may have hidden a forced one
        if (!forced || offers.has(forced->token) || !steering.push(forced->token)) return {};
        Offers alone;
        alone.add({forced->token, 0});
        return weighed(alone, states, forced).all[0];
    }

    // The probability of each of `offers` at the next position, the surest first; notes lessons for later.
    WeighedOffers weighed(Offers& offers, const States& states, const std::optional<Foreseen>& foreseen) {
        int drafted = int(choices.size()), ahead = ahead_index(drafted);
        WeighedOffers found;
        for (const Offer& offer : offers) {
            bool is_foreseen = foreseen && offer.token == foreseen->token;
            int evidence = foreseen ? foreseen_index(foreseen->evidence, is_foreseen) : NOT_FORESEEN;
            Lesson lesson = survival_.weigh(states, offer.offered, recent_, ahead, evidence);
            learn_later(lesson, drafted, offer.token);
            found.add({lesson.probability, offer.token, is_foreseen});
        }
        auto is_surer = [](const WeighedOffer& one, const WeighedOffer& other) {
            return one.probability > other.probability;
        };
        for (int i = 1; i < found.count; i++) {  // a stable insertion sort
            WeighedOffer next = found.all[i];
            int at = i;
            for (; at && is_surer(next, found.all[at - 1]); at--) found.all[at] = found.all[at - 1];
            found.all[at] = next;
        }
        return found;
    }

    void learn_later(Lesson& lesson, int position, int32_t token) {
        if (int(starts_.size()) == position) starts_.push_back(lessons.size());
        lesson.position = position;
        lesson.token = token;
        lessons.push_back(lesson);
    }

    Pointers begin(const std::vector<int32_t>& answer) {
        if (own_.length < 0) own_.take(own_.index.latest_longest_match(MAX_FOUND));
        if (past_.length < 0) past_.take(past_.index.find(answer.data() + answer.size(), int(answer.size())));
        int agreeing = std::max(own_.length, past_.length);
        auto& [match, past_match, copy, past_copy, spelled] = pointers_;
        Pointers pointers;
        if (own_.length) add(match, own_.start, own_.length, pointers);
        if (past_.length) add(past_match, past_.start, past_.length, pointers);
        if (agreeing >= SURE) return pointers;
        if (own_.copy.start >= 0) add(copy, own_.copy, own_.length ? &match : nullptr, pointers);
        if (past_.copy.start >= 0) add(past_copy, past_.copy, past_.length ? &past_match : nullptr, pointers);
        if (spelled_ && agreeing < PLAIN) {
            Match found = spelled_->find();
            bool is_redundant = found.start == (own_.length ? own_.start : -1) || found.start == own_.copy.start;
            if (found.length && !is_redundant) add(spelled, found.start, found.length, pointers);
        }
        return pointers;
    }

    static void add(Pointer& pointer, int start, int length, Pointers& pointers) {
        pointer.put(start, length);
        pointers.add(&pointer);
    }
    // Adds a copy to the draft: on its own, or merged into the match at its position.
    static void add(Pointer& pointer, const Copy& copy, Pointer* match, Pointers& pointers) {
        pointer.put(copy.start, copy.length, copy.misses);
        if (match && match->start == copy.start)
            match->join(pointer);
        else
            pointers.add(&pointer);
    }

    // Looks up a new match after a wrong offer; returns whether there is one.
    bool look_up(Pointer& pointer, const std::vector<int32_t>& answer) {
        if (pointer.number > PAST) return false;
        std::vector<int32_t> tail;
        if (pointer.number == PAST)
            tail.assign(answer.end() - std::min(MAX_FOUND, int(answer.size())), answer.end());
        else
            for (int at = std::max(0, own_.index.size() - MAX_FOUND); at < own_.index.size(); at++)
                tail.push_back(own_.index.token(at));
        tail.insert(tail.end(), choices.begin(), choices.end());
        Match match = pointer.index->find(tail.data() + tail.size(), int(tail.size()));
        pointer.put(match.start, match.length);
        return match.length > 0;
    }

    // Goes on drafting from a single source, blindly.
    void copy_on(Pointer& pointer, double survival, int max_tokens, double min_survival) {
        Lesson lesson;
        States weighed;
        int further = -1, drafted = int(choices.size());
        for (States states; pointer.offer(choices, states); states = {}, pointer.advance(), drafted++) {
            int ahead = ahead_index(drafted);
            if (states != weighed || further != ahead) {  // in a long copy both stay the same from token to token
                weighed = states;
                further = ahead;
                lesson = survival_.weigh(states, pointer.offering, recent_, ahead, NOT_FORESEEN);
            }
            learn_later(lesson, drafted, pointer.token);
            choices.push_back(pointer.token);
            survival *= lesson.probability;
            if (drafted == max_tokens || survival < min_survival) return;
            survivals.push_back(survival);
        }
    }

    Source &own_, &past_;
    const Survival& survival_;
    SpelledIndex* spelled_;
    Pointer pointers_[NUM_SOURCES];
    std::vector<size_t> starts_;  // the first lesson of each position
    int recent_ = 0;
};

}  // namespace ngramspec
