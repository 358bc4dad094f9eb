// The positions of a text where it was spelled like its end: the answers of plain/spelling.py.
#pragma once
#include <cstring>

#include "suffix_index.hpp"

namespace ngramspec {

constexpr int LEAST_BYTES = 3, MAX_BYTES = 32, MAX_SPELLED = 8;

// The bytes of each token, one after another.
class TokenBytes {
  public:
    void add(const char* bytes, size_t size) {
        bytes_.insert(bytes_.end(), bytes, bytes + size);
        starts_.push_back(bytes_.size());
    }
    void append_to(std::vector<uint8_t>& text, int32_t token) const {  // an id beyond the vocabulary has no bytes
        if (size_t(token) + 1 < starts_.size())
            text.insert(text.end(), bytes_.begin() + starts_[token], bytes_.begin() + starts_[token + 1]);
    }

  private:
    std::vector<uint8_t> bytes_;
    std::vector<size_t> starts_{0};  // of each token, and the end of the last
};

class SpelledIndex {
  public:
    SpelledIndex(const SuffixIndex& index, const TokenBytes& vocabulary)
        : index_(index), vocabulary_(vocabulary) {}

    Match find() {
        read();
        const uint8_t* end = text_.data() + text_.size();
        int position = latest_.get(slot_of(end));
        if (position < 0) return {};
        int length = LEAST_BYTES - 1, found = position;
        for (int i = 0; i < MAX_SPELLED && position >= 0 && length < MAX_BYTES; i++) {
            const uint8_t* begin = text_.data() + positions_[position].begin;
            // Only an occurrence that also agrees just before the best agreement can beat it.
            if (begin[-1 - length] == end[-1 - length]) {
                int agreeing = 0;
                while (agreeing < MAX_BYTES && begin[-1 - agreeing] == end[-1 - agreeing]) agreeing++;
                if (agreeing > length) length = agreeing, found = position;
            }
            position = positions_[position].previous;
        }
        return {length, found};
    }

    size_t nbytes() const {
        return text_.capacity() + positions_.capacity() * sizeof(Position) + latest_.nbytes();
    }

  private:
    // Of a token: where its bytes begin, and the previous token after the same LEAST_BYTES bytes, or -1.
    struct Position {
        int32_t begin, previous;
    };

    static uint32_t hash_of(const uint8_t* end) { return Hash().add(end[-1] | end[-2] << 8 | end[-3] << 16); }

    size_t slot_of(const uint8_t* end) const {
        return latest_.find(hash_of(end), [&](int position) {
            const uint8_t* begin = text_.data() + positions_[position].begin;
            return std::memcmp(begin - LEAST_BYTES, end - LEAST_BYTES, LEAST_BYTES) == 0;
        });
    }

    // Reads what is new. Called only for a lookup, so a row whose tokens match pays nothing for it.
    void read() {
        for (int position = int(positions_.size()); position < index_.size(); position++) {
            if (text_.size() > size_t(INT32_MAX))
                throw std::invalid_argument("a text must have at most " + std::to_string(INT32_MAX) + " bytes");
            const uint8_t* end = text_.data() + text_.size();
            latest_.reserve(1);
            size_t slot = slot_of(end);
            positions_.push_back({int32_t(text_.size()), latest_.get(slot)});
            latest_.put(slot, hash_of(end), position);
            vocabulary_.append_to(text_, index_.token(position));
        }
    }

    const SuffixIndex& index_;
    const TokenBytes& vocabulary_;
    // It begins with padding, so that no comparison must check for the beginning.
    std::vector<uint8_t> text_ = std::vector<uint8_t>(MAX_BYTES);
    std::vector<Position> positions_;
    Positions latest_;
};

}  // namespace ngramspec
