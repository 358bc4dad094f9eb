// The numbers that stand in the plain core too, by its modules: a test holds them equal.
#pragma once
#include "row.hpp"

namespace ngramspec {

struct Constant {
    const char *module, *name;
    double value;
};

inline const Constant CONSTANTS[] = {
    {"suffix_index", "MAX_MATCH", MAX_MATCH},
    {"suffix_index", "MAX_COMPARED", MAX_COMPARED},
    {"suffix_index", "MAX_FOUND", MAX_FOUND},
    {"suffix_index", "SEPARATOR", SEPARATOR},
    {"spelling", "LEAST_BYTES", LEAST_BYTES},
    {"spelling", "MAX_BYTES", MAX_BYTES},
    {"spelling", "MAX_SPELLED", MAX_SPELLED},
    {"key", "NUM_SOURCES", NUM_SOURCES},
    {"key", "OWN", OWN},
    {"key", "PAST", PAST},
    {"key", "OWN_COPY", OWN_COPY},
    {"key", "PAST_COPY", PAST_COPY},
    {"key", "SPELLED", SPELLED},
    {"key", "NUM_BUCKETS", NUM_BUCKETS},
    {"key", "LONGEST", LONGEST},
    {"key", "KIND_BITS", KIND_BITS},
    {"key", "STATE_BITS", STATE_BITS},
    {"features", "NUM_RECENT", NUM_RECENT},
    {"features", "FURTHEST", FURTHEST},
    {"features", "NUM_EVIDENCE", NUM_EVIDENCE},
    {"features", "NUM_WEIGHTS", NUM_WEIGHTS},
    {"features", "NOT_FORESEEN", NOT_FORESEEN},
    {"survival", "PRIOR_ODDS", PRIOR_ODDS},
    {"survival", "LAST_RATE", LAST_RATE},
    {"survival", "RATE_DECAY", RATE_DECAY},
    {"survival", "LEAST_ERROR", LEAST_ERROR},
    {"copies", "REACH", REACH},
    {"copies", "MAX_MISSES", MAX_MISSES},
    {"copies", "AGREED", AGREED},
    {"copies", "ANCHOR", ANCHOR},
    {"sources", "UNKNOWN", UNKNOWN},
    {"pointers", "MOST_MISSES", MOST_MISSES},
    {"pointers", "UNPROVEN", UNPROVEN},
    {"chain", "SURE", SURE},
    {"chain", "PLAIN", PLAIN},
    {"chain", "FAINT", FAINT},
    {"successors", "WALKED", WALKED},
    {"successors", "WALKED_BY_CHAINS", WALKED_BY_CHAINS},
    {"successors", "WIDTH", WIDTH},
    {"successors", "MOST_TOKENS", MOST_TOKENS},
    {"mixer", "NUM_TEXTS", NUM_TEXTS},
    {"mixer", "NUM_SLOTS", NUM_SLOTS},
    {"mixer", "SIZES", SIZES},
    {"mixer", "RANKS", RANKS},
    {"mixer", "SHARES", SHARES},
    {"mixer", "PER_SLOT", PER_SLOT},
    {"mixer", "LEAST_CHANCE", LEAST_CHANCE},
    {"mixer", "RATE", RATE},
    {"mixer", "LEAST_ERROR", LEAST_ERROR_MIXED},
    {"mixer", "MOST_ODDS", MOST_ODDS},
    {"mixer", "MOST_SEEN", MOST_SEEN},
    {"mixer", "NUM_KINDS", NUM_KINDS},
    {"mixer", "NUM_LESSONS", NUM_LESSONS},
    {"mixer", "SLOWEST", SLOWEST},
    {"mixer", "MOST_OFFERED", MOST_OFFERED},
    {"tree", "ROOT", ROOT},
    {"tree", "GROWS", GROWS},
    {"tree", "SURE", SURE_ALONE},
    {"tree", "LEAST_NEAR", LEAST_NEAR},
    {"tree", "MOST_NEAR", MOST_NEAR},
    {"row", "STEP", STEP},
};

}  // namespace ngramspec
