// How probable is each of the tokens that may come next? Opinions of many contexts, mixed and learnt as in
// plain/mixer.py, to the last bit.
#pragma once
#include <array>
#include <atomic>
#include <cmath>

#include "features.hpp"
#include "successors.hpp"

namespace ngramspec {

constexpr int SAID = NUM_TEXTS * NUM_ORDERS, NUM_SLOTS = SAID + 1, CHAIN = NUM_SLOTS, BIAS = NUM_SLOTS + 1;
constexpr int NUM_MIXED = NUM_SLOTS + 2;
constexpr int SIZES = bit_length(WALKED), RANKS = 4, SHARES = 8, ABSENT = 2 * SIZES;
constexpr int PER_SLOT = ABSENT + RANKS * (SHARES + 1) * SIZES;
constexpr int PER_ORDER = 1 + NUM_LIKELY * TENTHS, FIRST_SAID = SAID * PER_SLOT;
constexpr int FIRST_GUESS = FIRST_SAID + NUM_ORDERS * PER_ORDER;
constexpr int NUM_KINDS = FIRST_GUESS + NUM_LIKELY * TENTHS, NUM_STATES = 3;
constexpr int NUM_MIXING = 2 * (NUM_ORDERS + 1) * (NUM_ORDERS + 1) * NUM_STATES * NUM_MIXED;
constexpr int NUM_LESSONS = 2 * NUM_KINDS + NUM_MIXING;
constexpr double LEAST_CHANCE = 0.0005, RATE = 0.006, LEAST_ERROR_MIXED = 0.001, MOST_ODDS = 30.0, SLOWEST = 1.0 / 256;
constexpr int MOST_SEEN = 256, MOST_OFFERED = 12;
constexpr double TRUST[NUM_ORDERS] = {0.5, 0.7, 0.9, 0.95}, TRUST_IN_GUESSES = 0.12;

inline double bounded(double chance) { return std::min(std::max(chance, LEAST_CHANCE), 1.0 - LEAST_CHANCE); }
inline double log_odds(double chance) {
    chance = bounded(chance);
    return std::log(chance / (1.0 - chance));
}

// A token that the chain offers.
struct Offer {
    int32_t token;
    double chance;
};

// What was thought of a token: its chance, the log-odds that the chain gave it or 0, and the kind of each opinion, or of
// a guess the first.
struct Weighed {
    double chance, offered;
    int32_t token;
    int16_t kinds[NUM_SLOTS];
};

// What was thought of the tokens that may come next, `all` of which are side by side; first: the number of the first
// among all that were weighed. total: of their chances, or 1.0 if it is less. known: orders of each text. is_said:
// whether it is known what the model said. first_guess: from this one on they are guesses. is_trunk: whether the first is
// the chain's.
struct Thoughts {
    Weighed* all = nullptr;
    size_t first = 0;
    int count = 0, known[NUM_TEXTS] = {}, first_guess = 0;
    bool is_said = false, is_trunk = false;
    double total = 1.0;
    Weighed* begin() const { return all; }
    Weighed* end() const { return all + count; }
};

class Mixer {
  public:
    Mixer() {
        for (int slot = 0; slot < SAID; slot++) {
            int kind = slot * PER_SLOT;
            for (int size = 0; size < SIZES; size++)
                for (int alone = 0; alone < 2; alone++) begin(kind++, 0.1 / (1 << size) / (1 + alone));
            for (int rank = 0; rank < RANKS; rank++)
                for (int share = 0; share <= SHARES; share++)
                    for (int size = 0; size < SIZES; size++)
                        begin(kind++, (share + 0.5) / (SHARES + 0.5) * (1 << size) / ((1 << size) + 1.0));
        }
        int kind = FIRST_SAID;
        for (double trust : TRUST) {
            begin(kind++, 0.02);
            begin_said(kind, trust);
        }
        begin_said(kind, TRUST_IN_GUESSES);
        for (bool is_said : {false, true})
            for (int own = 0; own <= NUM_ORDERS; own++)
                for (int past = 0; past <= NUM_ORDERS; past++)
                    for (int state = 0; state < NUM_STATES; state++) begin_set(own, past, state, is_said);
    }

    // What was learnt: frequencies, how often each was counted, and weights.
    double lesson(int index) const {
        if (index < NUM_KINDS) return chances_[index].load(std::memory_order_relaxed);
        if (index < 2 * NUM_KINDS) return seen_[index - NUM_KINDS].load(std::memory_order_relaxed);
        return weight(index - 2 * NUM_KINDS);
    }
    void set_lesson(int index, double number) {
        if (index < NUM_KINDS) {
            chances_[index] = number;
            odds_[index] = log_odds(number);
        } else if (index < 2 * NUM_KINDS) {
            seen_[index - NUM_KINDS] = int(number);
        } else {
            weights_[index - 2 * NUM_KINDS] = number;
        }
    }

    // The chance of each token that a context knows or the chain offers, the one it drafts first, but `most` at most;
    // written where `thoughts.all` has room for them.
    // guesses: tokens that are taken only if nobody else offers them.
    void weigh(const Successors& successors, const Offer* offers, int num_offers, int most, const Likely& guesses,
               Thoughts& thoughts) const {
        take(successors, offers, num_offers, most, thoughts);
        if (thoughts.count) mix(successors, offers, num_offers, thoughts);
        guess(guesses, most, thoughts);
        double total = 0.0;
        for (const Weighed& each : thoughts) total += each.chance;
        thoughts.total = std::max(1.0, total);
    }

    // Move weights and frequencies by the token that came.
    void learn(const Thoughts& thoughts, int32_t right) {
        for (int i = 0; i < thoughts.count; i++) {
            const Weighed& each = thoughts.all[i];
            double is_right = each.token == right, error = is_right - each.chance, step = RATE * error;
            if (i >= thoughts.first_guess) {
                count(each.kinds[0], is_right);
                continue;
            }
            if (-LEAST_ERROR_MIXED < error && error < LEAST_ERROR_MIXED) continue;
            int set = set_of(thoughts, i);
            add(set + BIAS, step);
            add(set + CHAIN, step * each.offered);
            for_each_slot(thoughts, [&](int slot) { add(set + slot, step * odds_of(each.kinds[slot])); });
            for_each_slot(thoughts, [&](int slot) { count(each.kinds[slot], is_right); });
        }
    }

  private:
    // Of a token: the chain offers none, or drafts another, or it.
    static constexpr int ALONE = 0, OTHER = 1, DRAFTED = 2;

    void mix(const Successors& successors, const Offer* offers, int num_offers, Thoughts& thoughts) const {
        double odds[MOST_OFFERED];
        int first = set_of(thoughts, 0), others = set_of(thoughts, 1);
        for (int i = 0; i < thoughts.count; i++) {
            Weighed& each = thoughts.all[i];
            int set = i ? others : first;
            each.offered = i < num_offers ? log_odds(offers[i].chance) : 0.0;
            odds[i] = weight(set + BIAS) + weight(set + CHAIN) * each.offered;
        }
        for_each_slot(thoughts, [&](int slot) {
            if (slot < SAID)
                describe(successors.of[slot / NUM_ORDERS].counts[slot % NUM_ORDERS], slot, thoughts);
            else
                describe_said(successors, thoughts);
            odds[0] += weight(first + slot) * odds_of(thoughts.all[0].kinds[slot]);
            double share = weight(others + slot);
            for (int i = 1; i < thoughts.count; i++) odds[i] += share * odds_of(thoughts.all[i].kinds[slot]);
        });
        for (int i = 0; i < thoughts.count; i++) {
            double some = std::min(std::max(odds[i], -MOST_ODDS), MOST_ODDS);
            thoughts.all[i].chance = bounded(1.0 / (1.0 + std::exp(-some)));
        }
    }

    void guess(const Likely& guesses, int most, Thoughts& thoughts) const {
        thoughts.first_guess = thoughts.count;
        for (int rank = 0; rank < guesses.count() && thoughts.count < most; rank++) {
            int32_t number = guesses.numbers[rank];
            if (find(thoughts, number >> BITS)) continue;
            Weighed& each = thoughts.all[thoughts.count++];
            each.token = number >> BITS;
            each.kinds[0] = int16_t(FIRST_GUESS + kind_of_said(rank, number));
            each.chance = chances_[each.kinds[0]].load(std::memory_order_relaxed);
        }
    }

    static int set_of(int own, int past, int state, bool is_said) {
        return (((is_said * (NUM_ORDERS + 1) + own) * (NUM_ORDERS + 1) + past) * NUM_STATES + state) * NUM_MIXED;
    }

    static int set_of(const Thoughts& thoughts, int number) {
        int state = !thoughts.is_trunk ? ALONE : number ? OTHER : DRAFTED;
        return set_of(thoughts.known[0], thoughts.known[1], state, thoughts.is_said);
    }

    template <class Do>
    static void for_each_slot(const Thoughts& thoughts, Do act) {
        for (int text = 0; text < NUM_TEXTS; text++)
            for (int order = 0; order < thoughts.known[text]; order++) act(text * NUM_ORDERS + order);
        if (thoughts.is_said) act(SAID);
    }

    static Weighed* find(const Thoughts& thoughts, int32_t token) {
        for (Weighed& each : thoughts)
            if (each.token == token) return &each;
        return nullptr;
    }

    // The tokens to weigh: the chain's, then those of the longest contexts, what the model said first.
    static void take(const Successors& successors, const Offer* offers, int num_offers, int most, Thoughts& thoughts) {
        thoughts.count = 0;
        thoughts.is_trunk = num_offers > 0;
        thoughts.is_said = successors.said;
        for (int text = 0; text < NUM_TEXTS; text++) thoughts.known[text] = successors.of[text].known;
        for (int i = 0; i < std::min(num_offers, most); i++) thoughts.all[thoughts.count++].token = offers[i].token;
        auto offer = [&](int32_t token) {
            if (thoughts.count < most && !find(thoughts, token)) thoughts.all[thoughts.count++].token = token;
        };
        for (int order = NUM_ORDERS - 1; order >= 0 && thoughts.count < most; order--) {
            for (int rank = 0; successors.said_order == order && rank < successors.said->count(); rank++)
                offer(successors.said->numbers[rank] >> BITS);
            for (const Successors::OfText& text : successors.of)
                if (order < text.known)
                    for (const Count& each : text.counts[order]) offer(each.token);
        }
    }

    // By what is counted in a context: the kind of what it says of each token.
    static void describe(const Counts& counts, int slot, const Thoughts& thoughts) {
        int base = slot * PER_SLOT, size = bit_length(counts.total) - 1;
        int absent = base + 2 * size + (counts.count == 1), rank = 0;
        for (Weighed& each : thoughts) each.kinds[slot] = int16_t(absent);
        for (const Count& each : counts) {
            int share = each.times * SHARES / counts.total;
            int kind = base + ABSENT + size + SIZES * (std::min(rank++, RANKS - 1) * (SHARES + 1) + share);
            if (Weighed* known = find(thoughts, each.token)) known->kinds[slot] = int16_t(kind);
        }
    }

    // By what the model said: the kind of that for each token.
    static void describe_said(const Successors& successors, const Thoughts& thoughts) {
        int base = FIRST_SAID + successors.said_order * PER_ORDER;
        for (Weighed& each : thoughts) each.kinds[SAID] = int16_t(base);
        for (int rank = 0; rank < successors.said->count(); rank++) {
            int32_t number = successors.said->numbers[rank];
            if (Weighed* known = find(thoughts, number >> BITS))
                known->kinds[SAID] = int16_t(base + 1 + kind_of_said(rank, number));
        }
    }

    static int kind_of_said(int rank, int32_t number) { return rank * TENTHS + number % (1 << BITS); }

    // Of what the model said, by rank and tenth.
    void begin_said(int& kind, double trust) {
        for (int rank = 0; rank < NUM_LIKELY; rank++)
            for (int tenth = 0; tenth < TENTHS; tenth++)
                begin(kind++, std::max(trust * (tenth + 0.5) / TENTHS / (tenth ? 1 : 1 + rank), 0.003));
    }

    void begin_set(int own, int past, int state, bool is_said) {
        int set = set_of(own, past, state, is_said), known = own + past;
        double share = 1.0 / std::max(1, known + is_said);
        if (state == DRAFTED) share *= 0.5;
        double of_text = share, of_said = share;
        if (known && is_said) {
            of_text = share * 0.7;
            of_said = share * (1.0 + 0.3 * known);
        }
        for (int slot = 0; slot < NUM_SLOTS; slot++) weights_[set + slot] = slot < SAID ? of_text : of_said;
        weights_[set + CHAIN] = state == DRAFTED ? 0.5 : 0.0;
        weights_[set + BIAS] = 0.0;
    }

    void begin(int kind, double chance) {
        chances_[kind] = std::min(chance, 0.97);
        odds_[kind] = log_odds(chances_[kind]);
        seen_[kind] = 0;
    }

    void count(int kind, double is_right) {
        int seen = std::min(seen_[kind].load(std::memory_order_relaxed) + 1, MOST_SEEN);
        seen_[kind].store(seen, std::memory_order_relaxed);
        double before = chances_[kind].load(std::memory_order_relaxed);
        double chance = bounded(before + std::max(SLOWEST, 1.0 / (seen + 4.0)) * (is_right - before));
        chances_[kind].store(chance, std::memory_order_relaxed);
        odds_[kind].store(log_odds(chance), std::memory_order_relaxed);
    }

    double weight(int index) const { return weights_[index].load(std::memory_order_relaxed); }
    double odds_of(int kind) const { return odds_[kind].load(std::memory_order_relaxed); }
    void add(int index, double step) { weights_[index].store(weight(index) + step, std::memory_order_relaxed); }

    // As the weights of `Survival`: rows of several threads read and learn at a time.
    std::array<std::atomic<double>, NUM_KINDS> chances_, odds_;
    std::array<std::atomic<int>, NUM_KINDS> seen_;
    std::array<std::atomic<double>, NUM_MIXING> weights_;
};

}  // namespace ngramspec
