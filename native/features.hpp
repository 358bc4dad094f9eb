// The features of a token, and the layout of their weights: as plain/features.py.
#pragma once
#include "key.hpp"

namespace ngramspec {

constexpr int NUM_RECENT = 8, FURTHEST = 48, NUM_EVIDENCE = 64;

constexpr int bit_length(int number) { return number ? 32 - __builtin_clz(unsigned(number)) : 0; }

constexpr int PER_SOURCE = 2 << STATE_BITS;
constexpr int PAIR = NUM_SOURCES * PER_SOURCE;
constexpr int RECENT = PAIR + 4 * (NUM_BUCKETS + 1) * (NUM_BUCKETS + 1);
constexpr int AHEAD = RECENT + NUM_RECENT * (NUM_BUCKETS + 1);
constexpr int FORESEEN = AHEAD + bit_length(FURTHEST) + 1;
constexpr int NUM_WEIGHTS = FORESEEN + 4 * NUM_EVIDENCE;
constexpr int NOT_FORESEEN = 0;  // stands for the weight of what is foreseen, if nothing is

// The features of a token that some of the sources offer: indices of weights.
struct Features {
    int16_t sources[NUM_SOURCES], pair;
    // Bucket of the longest match that offers it: an offset into the weights for the row's recent success.
    int16_t longest = 0;

    // offered: a bit for each source that offers the token.
    Features(const States& states, int offered) {
        for (int source = 0; source < NUM_SOURCES; source++) {
            int offers = offered >> source & 1, bucket = states[source] >> KIND_BITS;
            sources[source] = int16_t(PER_SOURCE * source + (states[source] << 1 | offers));
            // Matches by spelling count bytes, not tokens.
            if (source < SPELLED && offers && bucket > longest) longest = int16_t(bucket);
        }
        int both = (states[OWN] >> KIND_BITS) * (NUM_BUCKETS + 1) + (states[PAST] >> KIND_BITS);
        pair = int16_t(PAIR + both * 4 + ((offered >> OWN & 1) << 1 | (offered >> PAST & 1)));
    }
    Features() = default;
};

constexpr int ahead_index(int drafted) { return AHEAD + bit_length(drafted < FURTHEST ? drafted : FURTHEST); }

constexpr int recent_index(double share) {
    int step = int(share * NUM_RECENT);
    return RECENT + (step < NUM_RECENT - 1 ? step : NUM_RECENT - 1) * (NUM_BUCKETS + 1);
}
constexpr int foreseen_index(int evidence, bool is_foreseen) {
    return FORESEEN + (evidence << 2 | int(is_foreseen) << 1);
}

}  // namespace ngramspec
