// A text to copy from: the latest longest match of a row's end, and a copy in progress, as plain/sources.py.
#pragma once
#include "copies.hpp"

namespace ngramspec {

constexpr int UNKNOWN = -1;  // the length of a match that must be looked up

struct Source {
    const SuffixIndex& index;
    int start = 0, length = UNKNOWN;
    Copy copy;

    explicit Source(const SuffixIndex& text) : index(text) {}

    void take(const Match& match) {
        length = match.length, start = match.start;
        copy.anchor(match);
    }

    // Go on by committed tokens; what a copy could read of the text before they came goes up to `end`.
    void follow(const int32_t* tokens, int count, int end) {
        copy.follow(tokens, count, index, end);
        if (!goes_on(tokens, count))
            length = UNKNOWN;
        else
            take({length + count, start + count});
    }

  private:
    // Whether the text has these tokens after the match, and one more.
    bool goes_on(const int32_t* tokens, int count) const {
        if (length <= 0 || count >= index.size() - start) return false;
        for (int i = 0; i < count; i++)
            if (index.token(start + i) != tokens[i]) return false;
        return true;
    }
};

}  // namespace ngramspec
