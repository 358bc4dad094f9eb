// The position of a source along a draft: as plain/pointers.py.
#pragma once
#include "key.hpp"
#include "suffix_index.hpp"

namespace ngramspec {

constexpr int MOST_MISSES = 3, UNPROVEN = 2;

// Reads a text on from `start`, after `length` tokens that agree. token: the offered one; -1 for none. offering: the
// bits of the sources that offer it.
class Pointer {
  public:
    const SuffixIndex* index = nullptr;
    int number = 0, start = 0, length = 0, offering = 0;
    int32_t token = -1;

    void put(int start_, int length_, int misses = 0) {
        size_ = index->size();
        start = start_;
        misses_ = std::min(misses, MOST_MISSES);
        length = std::min(length_, LONGEST);
        limit_ = std::min(length + UNPROVEN, LONGEST);
        settle();
        leave();
    }

    // Offers for `other`, too, which is at the same position: that is faster than two pointers.
    void join(Pointer& other) {
        joined_ = &other;
        offering |= other.offering;
    }

    // Reads the next token, and puts the state of each source; returns whether there is a token. drafted: the tokens
    // drafted after the text.
    bool offer(const std::vector<int32_t>& drafted, States& states) {
        if (start < size_) {
            token = index->token(start);
            if (token != SEPARATOR) {
                states.put(number, state_ + (number < OWN_COPY ? kind_of_match() : misses_));
                if (joined_) states.put(joined_->number, joined_->state_ + joined_->misses_);
                return true;
            }
        } else if (number == OWN) {  // the copy has reached the drafted tokens, and continues with them: a period
            token = drafted[size_t(start - size_)];
            leave();
            states.put(number, state_);
            return true;
        }
        token = -1;
        return false;
    }

    // The offered token was drafted.
    void advance() {
        start++;
        grow();
        if (joined_) joined_->grow();
    }

  private:
    // 0 if there is no earlier occurrence, 1 if the latest earlier one continues differently, 2 if it continues in the
    // same way, 3 if the one before that does so, too.
    int kind_of_match() const {
        int earlier = index->before(start - 1, column_);
        if (earlier < 0) return 0;
        if (index->token(earlier + 1) != token) return 1;
        earlier = index->before(earlier, column_);
        return earlier >= 0 && index->token(earlier + 1) == token ? 3 : 2;
    }
    void leave() {
        joined_ = nullptr;
        offering = 1 << number;
    }
    void grow() {
        if (length >= limit_) return;
        length++;
        settle();
    }
    void settle() {
        state_ = state_of(length);
        column_ = SuffixIndex::column_of(length);
    }

    int limit_ = 0, misses_ = 0, size_ = 0, column_ = 0, state_ = 0;
    Pointer* joined_ = nullptr;
};

}  // namespace ngramspec
