// A text to copy from: the latest longest match of a row's end, and a copy in progress. As plain/sources.py.
#pragma once
#include "copies.hpp"

namespace ngramspec {

constexpr int UNKNOWN = -1;  // length of a match that must be looked up

struct Source {
    const SuffixIndex& index;
    int start = 0, length = UNKNOWN;
    Copy copy;

    explicit Source(const SuffixIndex& text) : index(text) {}

    void take(const Match& match) {
        length = match.length, start = match.start;
        copy.anchor(match);
    }

    // Follows the committed tokens. end: of the text before them, up to which a copy could read.
    void follow(const int32_t* tokens, int count, int end) {
        copy.follow(tokens, count, index, end);
        if (!continues(tokens, count))
            length = UNKNOWN;
        else
            take({length + count, start + count});
    }

  private:
    // Whether the text has these tokens after the match, and at least one more.
    bool continues(const int32_t* tokens, int count) const {
        if (length <= 0 || count >= index.size() - start) return false;
        for (int i = 0; i < count; i++)
            if (index.token(start + i) != tokens[i]) return false;
        return true;
    }
};

}  // namespace ngramspec
