// A growing text, and the positions where its end occurred before: the answers of plain/suffix_index.py.
#pragma once
#include <algorithm>
#include <climits>
#include <stdexcept>
#include <string>

#include "positions.hpp"

namespace ngramspec {

constexpr int MAX_MATCH = 64, MAX_COMPARED = 256, MAX_FOUND = 32;
constexpr int32_t SEPARATOR = INT32_MAX;
constexpr int NUM_COLUMNS = 3;  // occurrences of the last token, of the last two, of the last four

struct Match {
    int length = 0, start = 0;
};

// The model's likeliest tokens after a position, stored as numbers as in plain/likely.py, the likeliest first.
constexpr int NUM_LIKELY = 4, TENTHS = 10, BITS = 4;
constexpr int32_t NOTHING = -1;
struct Likely {
    int32_t numbers[NUM_LIKELY] = {NOTHING, NOTHING, NOTHING, NOTHING};

    int count() const {
        int known = 0;
        while (known < NUM_LIKELY && numbers[known] >= 0) known++;
        return known;
    }
};

// The end of a text: its last tokens, the latest first, and the hashes of one to four of them.
struct End {
    int32_t tokens[MAX_ORDER];
    uint32_t hashes[MAX_ORDER];
    int count = 0;

    void add(int32_t token) {
        tokens[count] = token;
        hashes[count++] = hash_.add(token);
    }
    // Of another text; `end` points after its last token. known: number of its tokens.
    static End of(const int32_t* end, int known) {
        End found;
        while (found.count < std::min(known, MAX_ORDER)) found.add(end[-1 - found.count]);
        return found;
    }
    // As `of`, from tokens with the latest first.
    static End backwards(const int32_t* tokens, int known) {
        End found;
        while (found.count < std::min(known, MAX_ORDER)) found.add(tokens[found.count]);
        return found;
    }

  private:
    Hash hash_;
};

class SuffixIndex {
  public:
    int size() const { return int(text_.size()); }
    int32_t token(int position) const { return text_[position].token; }

    // The previous position where the n-gram that ends at `position` ended, or -1. column: see `column_of`.
    int before(int position, int column) const { return text_[position].before[column]; }

    // The column for a match of `length` tokens: of the last four for four or more, of the last two for two or three.
    static int column_of(int length) { return length > 3 ? 2 : length > 1 ? 1 : 0; }

    void extend(const int32_t* tokens, size_t count) {
        if (!count) return;
        check(tokens, count);
        int start = size(), end = start + int(count);
        if (size_t(end) > text_.capacity()) text_.reserve(std::max(size_t(end), text_.capacity() * 3 / 2));
        for (size_t i = 0; i < count; i++) text_.push_back({tokens[i], {-1, -1, -1}});
        // Nothing can be copied from after the end, so a position is indexed only when a token follows it.
        for (int at = std::max(start - 1, 0); at < end - 1; at++) index(at);
    }

    Match latest_longest_match(int max_compared) const {
        int last = size() - 1;
        if (last < 1) return {};
        auto [order, earlier] = latest(end_at(last));
        if (order < MAX_ORDER) return order ? Match{order, earlier + 1} : Match{};
        auto token_back = [&](int back) { return text_[last - back].token; };
        return longest(earlier, token_back, MAX_MATCH, max_compared);
    }

    // As `latest_longest_match`, for another text, which ends before `end` and has `known` tokens.
    Match find(const int32_t* end, int known) const {
        auto [order, earlier] = latest(End::of(end, known));
        if (order < MAX_ORDER) return order ? Match{order, earlier + 1} : Match{};
        auto token_back = [&](int back) { return end[-1 - back]; };
        return longest(earlier, token_back, std::min(known, MAX_FOUND), MAX_FOUND);
    }

    // Prefetches for `latest`, so that it waits for memory once, not for each order.
    void expect(const End& end) const {
        for (int order = 1; order <= end.count; order++)
            if (order != 3) latest_[order - 1].expect(end.hashes[order - 1]);
    }

    // By column: the last position where the end of another text ended, or -1. From there `before` leads to earlier
    // occurrences.
    void latest(const End& end, int found[NUM_COLUMNS]) const {
        for (int column = 0; column < NUM_COLUMNS; column++) {
            int order = 1 << column;
            found[column] = order <= end.count ? latest_[order - 1].get(slot_of(end, order)) : -1;
        }
    }

    // How many tokens up to `position` agree with `tail`, the latest first: at least `least`, at most `most`.
    int num_agreeing(int position, const int32_t* tail, int known, int least, int most) const {
        int agreeing = least, limit = std::min(std::min(known, position + 1), most);
        while (agreeing < limit && text_[position - agreeing].token == tail[agreeing]) agreeing++;
        return agreeing;
    }

    // Notes the model's likeliest tokens after each position from `start` on; positions beyond the text are ignored.
    void note(int start, const int32_t* numbers, size_t count) {
        for (size_t i = 0; i < count; i++, numbers += NUM_LIKELY) {
            int position = start + int(i);
            if (position < 0 || position >= size() || numbers[0] < 0) continue;
            Likely& noted = room_for_likely(position);
            num_noted_ += noted.numbers[0] < 0;
            noted = Likely();
            for (int each = 0; each < NUM_LIKELY && numbers[each] >= 0; each++) noted.numbers[each] = numbers[each];
        }
    }
    // What was noted for a position, or nullptr.
    const Likely* likely_after(int position) const {
        int at = position - noted_from_;
        return at >= 0 && at < int(likely_.size()) && likely_[at].numbers[0] >= 0 ? &likely_[at] : nullptr;
    }
    // Number of positions for which something was noted.
    int num_noted() const { return num_noted_; }

    size_t nbytes() const {
        size_t sum = text_.capacity() * sizeof(Position) + likely_.capacity() * sizeof(Likely);
        for (const Positions& positions : latest_) sum += positions.nbytes();
        return sum;
    }

  private:
    Likely& room_for_likely(int position) {
        if (likely_.empty()) noted_from_ = position;
        if (position < noted_from_) {
            likely_.insert(likely_.begin(), size_t(noted_from_ - position), Likely());
            noted_from_ = position;
        }
        size_t at = size_t(position - noted_from_);
        if (at >= likely_.capacity()) likely_.reserve(std::max(at + 1, likely_.capacity() * 3 / 2));
        if (at >= likely_.size()) likely_.resize(at + 1);
        return likely_[at];
    }

    // A token, and the previous positions where the token, the pair and the four tokens that end there ended, or -1.
    // All that is read of a position is in one cache line.
    struct Position {
        int32_t token, before[NUM_COLUMNS];
    };

    void check(const int32_t* tokens, size_t count) const {
        if (count > size_t(INT32_MAX - size()))
            throw std::invalid_argument("a text must have at most " + std::to_string(INT32_MAX) + " tokens, got " +
                                        std::to_string(size() + count) + ": begin a new one");
        int32_t lowest = *std::min_element(tokens, tokens + count);
        if (lowest < 0) throw std::invalid_argument("token ids must be >= 0, got " + std::to_string(lowest));
    }

    End end_at(int last) const {
        End end;
        while (end.count < std::min(last + 1, MAX_ORDER)) end.add(text_[last - end.count].token);
        return end;
    }

    bool is_same(int position, const End& end, int order) const {
        if (position + 1 < order) return false;
        for (int i = 0; i < order; i++)
            if (text_[position - i].token != end.tokens[i]) return false;
        return true;
    }
    size_t slot_of(const End& end, int order) const {
        auto same = [&](int position) { return is_same(position, end, order); };
        return latest_[order - 1].find(end.hashes[order - 1], same);
    }

    struct Found {
        int order, position;
    };
    // The longest n-gram at the end that occurred before, and its last position; order 0 if none did.
    Found latest(const End& end) const {
        for (int order = end.count; order; order--) {
            int position = latest_[order - 1].get(slot_of(end, order));
            if (position >= 0) return {order, position};
        }
        return {0, -1};
    }

    // Of the occurrences of the last four tokens, the one that agrees over the most tokens; of equals, the latest.
    template <class TokenBack>
    Match longest(int earlier, TokenBack token_back, int most, int max_compared) const {
        int length = MAX_ORDER, found = earlier;
        for (int i = 0; i < max_compared; i++) {
            if (earlier < length || length == most) break;  // too near the beginning to beat the best, or nothing can
            // Only an occurrence that also agrees just before the best agreement can beat it: mostly one comparison.
            if (text_[earlier - length].token == token_back(length)) {
                int agreeing = MAX_ORDER, limit = std::min(most, earlier + 1);
                while (agreeing < limit && text_[earlier - agreeing].token == token_back(agreeing)) agreeing++;
                if (agreeing > length) length = agreeing, found = earlier;
            }
            earlier = text_[earlier].before[2];
        }
        return {length, found + 1};
    }

    void index(int at) {
        End here = end_at(at);
        for (int order = 1; order <= here.count; order++) {
            Positions& positions = latest_[order - 1];
            positions.reserve(1);
            size_t slot = slot_of(here, order);
            if (order != 3) text_[at].before[column_of(order)] = positions.get(slot);
            positions.put(slot, here.hashes[order - 1], at);
        }
    }

    std::vector<Position> text_;
    std::vector<Likely> likely_;  // from the first noted position to the last, so that a prompt takes no memory
    int noted_from_ = 0, num_noted_ = 0;
    Positions latest_[MAX_ORDER];
};

}  // namespace ngramspec
