// The probability of each possible next token: opinions of many contexts, mixed and learnt as in plain/mixer.py, to the
// last bit.
#pragma once
#include <array>
#include <atomic>
#include <cmath>

#include "features.hpp"
#include "successors.hpp"

namespace ngramspec {

constexpr int RECYCLED = NUM_TEXTS * NUM_ORDERS, NUM_SLOTS = RECYCLED + 1, CHAIN = NUM_SLOTS, BIAS = NUM_SLOTS + 1;
constexpr int NUM_MIXED = NUM_SLOTS + 2;
constexpr int SIZES = bit_length(WALKED), RANKS = 4, SHARES = 8, ABSENT = 2 * SIZES;
constexpr int PER_SLOT = ABSENT + RANKS * (SHARES + 1) * SIZES;
constexpr int PER_ORDER = 1 + NUM_LIKELY * TENTHS, FIRST_RECYCLED = RECYCLED * PER_SLOT;
constexpr int FIRST_GUESS = FIRST_RECYCLED + NUM_ORDERS * PER_ORDER;
constexpr int NUM_KINDS = FIRST_GUESS + NUM_LIKELY * TENTHS, NUM_STATES = 3;
constexpr int NUM_MIXING = 2 * (NUM_ORDERS + 1) * (NUM_ORDERS + 1) * NUM_STATES * NUM_MIXED;
constexpr int NUM_PARAMETERS = 2 * NUM_KINDS + NUM_MIXING;
constexpr double LEAST_CHANCE = 0.0005, RATE = 0.006, LEAST_ERROR_MIXED = 0.001, MOST_ODDS = 30.0, SLOWEST = 1.0 / 256;
constexpr int MOST_SEEN = 256, MOST_OFFERED = 12;
constexpr double TRUST[NUM_ORDERS] = {0.5, 0.7, 0.9, 0.95}, TRUST_IN_GUESSES = 0.12;

inline double bounded(double chance) { return std::min(std::max(chance, LEAST_CHANCE), 1.0 - LEAST_CHANCE); }
inline double log_odds(double chance) {
    chance = bounded(chance);
    return std::log(chance / (1.0 - chance));
}

// A token that the chain offers, and the chance that it gives it.
struct ChainOffer {
    int32_t token;
    double chance;
};

// The estimate for a token. offered: the log-odds that the chain gave it; 0 if it did not offer it. kinds: of the
// opinions by slot; of a guess, only the first.
struct Estimate {
    double chance, offered;
    int32_t token;
    int16_t kinds[NUM_SLOTS];
};

// The estimates at a node, `all` of them contiguous; first: the number of the first among those of all nodes. total:
// sum of their chances, at least 1.0. known: number of orders known in each text. has_recycled: whether the model's
// likeliest tokens are known. first_guess: number of the first guess. is_trunk: whether the first token is the chain's.
struct Estimates {
    Estimate* all = nullptr;
    size_t first = 0;
    int count = 0, known[NUM_TEXTS] = {}, first_guess = 0;
    bool has_recycled = false, is_trunk = false;
    double total = 1.0;
    Estimate* begin() const { return all; }
    Estimate* end() const { return all + count; }
};

class Mixer {
  public:
    Mixer() {
        for (int slot = 0; slot < RECYCLED; slot++) {
            int kind = slot * PER_SLOT;
            for (int size = 0; size < SIZES; size++)
                for (int alone = 0; alone < 2; alone++) begin(kind++, 0.1 / (1 << size) / (1 + alone));
            for (int rank = 0; rank < RANKS; rank++)
                for (int share = 0; share <= SHARES; share++)
                    for (int size = 0; size < SIZES; size++)
                        begin(kind++, (share + 0.5) / (SHARES + 0.5) * (1 << size) / ((1 << size) + 1.0));
        }
        int kind = FIRST_RECYCLED;
        for (double trust : TRUST) {
            begin(kind++, 0.02);
            begin_likely(kind, trust);
        }
        begin_likely(kind, TRUST_IN_GUESSES);
        for (bool has_recycled : {false, true})
            for (int own = 0; own <= NUM_ORDERS; own++)
                for (int past = 0; past <= NUM_ORDERS; past++)
                    for (int state = 0; state < NUM_STATES; state++) begin_set(own, past, state, has_recycled);
    }

    // The learnt state: frequencies, the count of each, and weights.
    double parameter(int index) const {
        if (index < NUM_KINDS) return chances_[index].load(std::memory_order_relaxed);
        if (index < 2 * NUM_KINDS) return seen_[index - NUM_KINDS].load(std::memory_order_relaxed);
        return weight(index - 2 * NUM_KINDS);
    }
    void set_parameter(int index, double number) {
        if (index < NUM_KINDS) {
            chances_[index] = number;
            odds_[index] = log_odds(number);
        } else if (index < 2 * NUM_KINDS) {
            seen_[index - NUM_KINDS] = int(number);
        } else {
            weights_[index - 2 * NUM_KINDS] = number;
        }
    }

    // The chance of each token that a context knows or the chain offers, at most `most`, the drafted token first;
    // written to `estimates.all`, which must have room. guesses: tokens that are taken only if nothing else offers
    // them.
    void weigh(const Successors& successors, const ChainOffer* offers, int num_offers, int most, const Likely& guesses,
               Estimates& estimates) const {
        take(successors, offers, num_offers, most, estimates);
        if (estimates.count) mix(successors, offers, num_offers, estimates);
        guess(guesses, most, estimates);
        double total = 0.0;
        for (const Estimate& each : estimates) total += each.chance;
        estimates.total = std::max(1.0, total);
    }

    // Updates weights and frequencies by the token that came, `right`.
    void learn(const Estimates& estimates, int32_t right) {
        for (int i = 0; i < estimates.count; i++) {
            const Estimate& each = estimates.all[i];
            double is_right = each.token == right, error = is_right - each.chance, step = RATE * error;
            if (i >= estimates.first_guess) {
                count(each.kinds[0], is_right);
                continue;
            }
            if (-LEAST_ERROR_MIXED < error && error < LEAST_ERROR_MIXED) continue;
            int set = set_of(estimates, i);
            add(set + BIAS, step);
            add(set + CHAIN, step * each.offered);
            for_each_slot(estimates, [&](int slot) { add(set + slot, step * odds_of(each.kinds[slot])); });
            for_each_slot(estimates, [&](int slot) { count(each.kinds[slot], is_right); });
        }
    }

  private:
    // State of a token: the chain drafts nothing, another token, or this one.
    static constexpr int ALONE = 0, OTHER = 1, DRAFTED = 2;

    void mix(const Successors& successors, const ChainOffer* offers, int num_offers, Estimates& estimates) const {
        double odds[MOST_OFFERED];
        int first = set_of(estimates, 0), others = set_of(estimates, 1);
        for (int i = 0; i < estimates.count; i++) {
            Estimate& each = estimates.all[i];
            int set = i ? others : first;
            each.offered = i < num_offers ? log_odds(offers[i].chance) : 0.0;
            odds[i] = weight(set + BIAS) + weight(set + CHAIN) * each.offered;
        }
        for_each_slot(estimates, [&](int slot) {
            if (slot < RECYCLED)
                describe(successors.of[slot / NUM_ORDERS].counts[slot % NUM_ORDERS], slot, estimates);
            else
                describe_recycled(successors, estimates);
            odds[0] += weight(first + slot) * odds_of(estimates.all[0].kinds[slot]);
            double share = weight(others + slot);
            for (int i = 1; i < estimates.count; i++) odds[i] += share * odds_of(estimates.all[i].kinds[slot]);
        });
        for (int i = 0; i < estimates.count; i++) {
            double some = std::min(std::max(odds[i], -MOST_ODDS), MOST_ODDS);
            estimates.all[i].chance = bounded(1.0 / (1.0 + std::exp(-some)));
        }
    }

    void guess(const Likely& guesses, int most, Estimates& estimates) const {
        estimates.first_guess = estimates.count;
        for (int rank = 0; rank < guesses.count() && estimates.count < most; rank++) {
            int32_t number = guesses.numbers[rank];
            if (find(estimates, number >> BITS)) continue;
            Estimate& each = estimates.all[estimates.count++];
            each.token = number >> BITS;
            each.kinds[0] = int16_t(FIRST_GUESS + kind_of_likely(rank, number));
            each.chance = chances_[each.kinds[0]].load(std::memory_order_relaxed);
        }
    }

    static int set_of(int own, int past, int state, bool has_recycled) {
        return (((has_recycled * (NUM_ORDERS + 1) + own) * (NUM_ORDERS + 1) + past) * NUM_STATES + state) * NUM_MIXED;
    }

    static int set_of(const Estimates& estimates, int number) {
        int state = !estimates.is_trunk ? ALONE : number ? OTHER : DRAFTED;
        return set_of(estimates.known[0], estimates.known[1], state, estimates.has_recycled);
    }

    template <class Do>
    static void for_each_slot(const Estimates& estimates, Do act) {
        for (int text = 0; text < NUM_TEXTS; text++)
            for (int order = 0; order < estimates.known[text]; order++) act(text * NUM_ORDERS + order);
        if (estimates.has_recycled) act(RECYCLED);
    }

    static Estimate* find(const Estimates& estimates, int32_t token) {
        for (Estimate& each : estimates)
            if (each.token == token) return &each;
        return nullptr;
    }

    // The tokens to weigh: the chain's, then those of the longest contexts, per order the model's likeliest first.
    static void take(const Successors& successors, const ChainOffer* offers, int num_offers, int most,
                     Estimates& estimates) {
        estimates.count = 0;
        estimates.is_trunk = num_offers > 0;
        estimates.has_recycled = successors.recycled;
        for (int text = 0; text < NUM_TEXTS; text++) estimates.known[text] = successors.of[text].known;
        for (int i = 0; i < std::min(num_offers, most); i++) estimates.all[estimates.count++].token = offers[i].token;
        auto offer = [&](int32_t token) {
            if (estimates.count < most && !find(estimates, token)) estimates.all[estimates.count++].token = token;
        };
        for (int order = NUM_ORDERS - 1; order >= 0 && estimates.count < most; order--) {
            for (int rank = 0; successors.recycled_order == order && rank < successors.recycled->count(); rank++)
                offer(successors.recycled->numbers[rank] >> BITS);
            for (const Successors::OfText& text : successors.of)
                if (order < text.known)
                    for (const Count& each : text.counts[order]) offer(each.token);
        }
    }

    // For each token, the kind of a context's opinion, by its counts.
    static void describe(const Counts& counts, int slot, const Estimates& estimates) {
        int base = slot * PER_SLOT, size = bit_length(counts.total) - 1;
        int absent = base + 2 * size + (counts.count == 1), rank = 0;
        for (Estimate& each : estimates) each.kinds[slot] = int16_t(absent);
        for (const Count& each : counts) {
            int share = each.times * SHARES / counts.total;
            int kind = base + ABSENT + size + SIZES * (std::min(rank++, RANKS - 1) * (SHARES + 1) + share);
            if (Estimate* known = find(estimates, each.token)) known->kinds[slot] = int16_t(kind);
        }
    }

    // As `describe`, for the model's likeliest tokens.
    static void describe_recycled(const Successors& successors, const Estimates& estimates) {
        int base = FIRST_RECYCLED + successors.recycled_order * PER_ORDER;
        for (Estimate& each : estimates) each.kinds[RECYCLED] = int16_t(base);
        for (int rank = 0; rank < successors.recycled->count(); rank++) {
            int32_t number = successors.recycled->numbers[rank];
            if (Estimate* known = find(estimates, number >> BITS))
                known->kinds[RECYCLED] = int16_t(base + 1 + kind_of_likely(rank, number));
        }
    }

    static int kind_of_likely(int rank, int32_t number) { return rank * TENTHS + number % (1 << BITS); }

    // Initial frequencies of the model's likeliest tokens, by rank and tenth.
    void begin_likely(int& kind, double trust) {
        for (int rank = 0; rank < NUM_LIKELY; rank++)
            for (int tenth = 0; tenth < TENTHS; tenth++)
                begin(kind++, std::max(trust * (tenth + 0.5) / TENTHS / (tenth ? 1 : 1 + rank), 0.003));
    }

    void begin_set(int own, int past, int state, bool has_recycled) {
        int set = set_of(own, past, state, has_recycled), known = own + past;
        double share = 1.0 / std::max(1, known + has_recycled);
        if (state == DRAFTED) share *= 0.5;
        double of_text = share, of_recycled = share;
        if (known && has_recycled) {
            of_text = share * 0.7;
            of_recycled = share * (1.0 + 0.3 * known);
        }
        for (int slot = 0; slot < NUM_SLOTS; slot++) weights_[set + slot] = slot < RECYCLED ? of_text : of_recycled;
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

    // As the weights of `Survival`: rows of several threads read and learn at the same time.
    std::array<std::atomic<double>, NUM_KINDS> chances_, odds_;
    std::array<std::atomic<int>, NUM_KINDS> seen_;
    std::array<std::atomic<double>, NUM_MIXING> weights_;
};

}  // namespace ngramspec
