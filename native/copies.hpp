// A copy in progress, which continues after a token that differed: as plain/copies.py.
#pragma once
#include "suffix_index.hpp"

namespace ngramspec {

constexpr int REACH = 8, MAX_MISSES = 20, AGREED = 8, ANCHOR = 4;

struct Copy {
    int start = -1, length = 0, misses = 0;

    void anchor(const Match& match) {
        if (match.length >= ANCHOR && match.length > length) *this = {match.start, match.length, 0};
    }

    // Follows the row's next tokens; the source is `text` up to `end`.
    void follow(const int32_t* tokens, int count, const SuffixIndex& text, int end) {
        if (start < 0) return;
        for (int i = 0; i < count; i++) {
            if (start >= end || misses >= MAX_MISSES) {
                start = -1;
                return;
            }
            start++;
            if (text.token(start - 1) == tokens[i]) {
                if (++length >= AGREED) misses = 0;
                continue;
            }
            length = 0;
            misses++;
            for (int skipped = start; skipped < std::min(start + REACH, end); skipped++)
                if (text.token(skipped) == tokens[i]) {
                    start = skipped + 1;
                    break;
                }
        }
    }
};

}  // namespace ngramspec
