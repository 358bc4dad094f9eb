// Earlier successors of a context: for each of its orders the latest distinct ones, and how often each came. As
// plain/successors.py.
#pragma once
#include "inline_vector.hpp"
#include "suffix_index.hpp"

namespace ngramspec {

constexpr int NUM_ORDERS = 4, MOST_TOKENS = 12, WALKED = 8, WALKED_BY_CHAINS = 4, WIDTH = 8, NUM_TEXTS = 2;
constexpr int ORDERS[NUM_ORDERS] = {1, 2, 4, MOST_TOKENS};

// The tokens before a position, the latest first.
using Tail = InlineVector<int32_t, MOST_TOKENS>;

struct Count {
    int32_t token;
    int times;
};

// The successors of a context, the latest first. total: the sum of their counts.
struct Counts : InlineVector<Count, WIDTH> {
    int total = 0;

    void add_one(int32_t token) {
        for (Count& each : *this)
            if (each.token == token) {
                each.times++;
                total++;
                return;
            }
        if (count == WIDTH) return;
        add({token, 1});
        total++;
    }
};

// By text, the row's own and the history: what followed earlier occurrences of a tail. Each text has a tail of its own;
// they differ in their beginnings.
class Successors {
  public:
    // known: number of orders with successors, the shortest first.
    struct OfText {
        Counts counts[NUM_ORDERS];
        int known = 0;
    };
    OfText of[NUM_TEXTS];
    // The model's likeliest tokens in the row's own text after the latest occurrence of the longest context for which
    // they are known; recycled_order: the index of its order.
    const Likely* recycled = nullptr;
    int recycled_order = -1;

    // walked: most occurrences that are counted.
    void find(const SuffixIndex* const texts[NUM_TEXTS], const Tail tails[NUM_TEXTS], int walked) {
        walk(texts, tails, walked);
        for (int text = 0; text < NUM_TEXTS; text++) count(text, *texts[text], tails[text]);
        recycle(*texts[0], tails[0]);
    }

  private:
    // Positions where the last token, the last two or the last four ended, the latest first.
    using Walk = InlineVector<int, WALKED>;

    // All chains of occurrences are walked at once: each step waits for memory, and so these waits overlap.
    void walk(const SuffixIndex* const texts[], const Tail tails[], int walked) {
        int at[NUM_TEXTS][NUM_COLUMNS];
        End ends[NUM_TEXTS];
        for (int text = 0; text < NUM_TEXTS; text++) {
            ends[text] = End::backwards(tails[text].all, tails[text].count);
            texts[text]->expect(ends[text]);
        }
        for (int text = 0; text < NUM_TEXTS; text++) {
            texts[text]->latest(ends[text], at[text]);
            for (Walk& each : walks_[text]) each.count = 0;
        }
        bool continues = true;
        for (int step = 0; step < walked && continues; step++) {
            continues = false;
            for (int text = 0; text < NUM_TEXTS; text++)
                for (int column = 0; column < NUM_COLUMNS; column++) {
                    int& position = at[text][column];
                    if (position < 0) continue;
                    walks_[text][column].add(position);
                    position = texts[text]->before(position, column);
                    continues = true;
                }
        }
    }

    void count(int text, const SuffixIndex& index, const Tail& tail) {
        OfText& found = of[text];
        for (found.known = 0; found.known < NUM_ORDERS;) {
            int column = SuffixIndex::column_of(ORDERS[found.known]);
            int last = column + 1 < NUM_COLUMNS ? found.known + 1 : NUM_ORDERS;
            for (int order = found.known; order < last; order++)
                found.counts[order].count = found.counts[order].total = 0;
            for (int position : walks_[text][column]) {
                int32_t token = index.token(position + 1);
                if (token == SEPARATOR) continue;
                int agreeing =
                    index.num_agreeing(position, tail.all, tail.count, ORDERS[found.known], ORDERS[last - 1]);
                for (int order = found.known; order < last && ORDERS[order] <= agreeing; order++)
                    found.counts[order].add_one(token);
            }
            for (; found.known < last; found.known++)
                if (!found.counts[found.known].count) return;
        }
    }

    void recycle(const SuffixIndex& index, const Tail& tail) {
        recycled = nullptr;
        recycled_order = -1;
        if (!index.num_noted()) return;
        for (int column = NUM_COLUMNS - 1; column >= 0 && !recycled; column--) {
            int last = column + 1 < NUM_COLUMNS ? column : NUM_ORDERS - 1;
            for (int position : walks_[0][column]) {
                const Likely* likely = index.likely_after(position);
                if (!likely) continue;
                int agreeing = index.num_agreeing(position, tail.all, tail.count, ORDERS[column], ORDERS[last]);
                int order = column;
                while (order < last && ORDERS[order + 1] <= agreeing) order++;
                if (order > recycled_order) {
                    recycled_order = order;
                    recycled = likely;
                }
                if (order == last) break;  // none can agree over more tokens
            }
        }
    }

    Walk walks_[NUM_TEXTS][NUM_COLUMNS];
};

}  // namespace ngramspec
