// Where a source is along a draft: as plain/pointers.py.
#pragma once
#include "key.hpp"
#include "suffix_index.hpp"

namespace ngramspec {

constexpr int MOST_MISSES = 3, UNPROVEN = 2;

// Reads a text on from `start`, after `length` tokens that agree. token: what it offers; -1 for nothing. speaking: the
// bits of the sources that offer it.
class Pointer {
  public:
    const SuffixIndex* index = nullptr;
    int number = 0, start = 0, length = 0, speaking = 0;
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

    // Speak for `other` too, which is at the same position: that takes less time than two.
    void join(Pointer& other) {
        joined_ = &other;
        speaking |= other.speaking;
    }

    // Read the next token, and put what state it is in; drafted: what follows the text. Returns whether there is one.
    bool offer(const std::vector<int32_t>& drafted, States& states) {
        if (start < size_) {
            token = index->token(start);
            if (token != SEPARATOR) {
                states.put(number, state_ + (number < OWN_COPY ? kind_of_match() : misses_));
                if (joined_) states.put(joined_->number, joined_->state_ + joined_->misses_);
                return true;
            }
        } else if (number == OWN) {  // the copy has reached what was drafted, and goes on with it: a period
            token = drafted[size_t(start - size_)];
            leave();
            states.put(number, state_);
            return true;
        }
        token = -1;
        return false;
    }

    // What was offered is drafted.
    void advance() {
        start++;
        grow();
        if (joined_) joined_->grow();
    }

  private:
    // 0 where nothing earlier reads the same, 1 where that goes on otherwise, 2 where it goes on the same, 3 where the
    // one before that does so too.
    int kind_of_match() const {
        int earlier = index->before(start - 1, column_);
        if (earlier < 0) return 0;
        if (index->token(earlier + 1) != token) return 1;
        earlier = index->before(earlier, column_);
        return earlier >= 0 && index->token(earlier + 1) == token ? 3 : 2;
    }
    void leave() {
        joined_ = nullptr;
        speaking = 1 << number;
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
