// Maps n-grams to the positions where they were last seen: as plain/positions.py, but the n-grams are not stored. A
// slot holds 32 bits of a hash and a position, and the text at that position is compared with the n-gram. So answers
// are exact, even if hashes collide.
#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace ngramspec {

constexpr int MAX_ORDER = 4;  // tokens of the longest n-gram

// Random numbers of this process: without them nobody can write a text whose n-grams collide.
struct Seeds {
    uint64_t start, multipliers[MAX_ORDER];

    Seeds() {
        std::random_device random;
        auto number = [&] { return uint64_t(random()) << 32 | random(); };
        start = number();
        for (uint64_t& multiplier : multipliers) multiplier = number() | 1;
    }
};

inline const Seeds SEEDS;

// The hash of an n-gram, which is read from its end: a sum of products with random numbers (Dietzfelbinger 1996), so
// that each earlier token takes one more product; then a product that mixes all bits (Appleby 2011, MurmurHash3).
class Hash {
  public:
    uint32_t add(int32_t token) {
        sum_ += SEEDS.multipliers[order_++] * uint32_t(token);
        uint64_t mixed = (sum_ ^ sum_ >> 32) * 0xFF51AFD7ED558CCDull;
        return uint32_t(mixed >> 32);
    }

  private:
    uint64_t sum_ = SEEDS.start;
    int order_ = 0;
};

// Open addressing with linear probing. The search for a hash begins at hash / 2^32 of the table, so the order of slots
// is that of hashes, and a larger table is filled from front to back.
class Positions {
  public:
    int32_t get(size_t slot) const { return slots_[slot].position; }

    // The slot where the search for a hash begins.
    size_t home(uint32_t hash) const { return size_t(uint64_t(hash) * slots_.size() >> 32); }

    void expect(uint32_t hash) const { __builtin_prefetch(&slots_[home(hash)]); }

    // The slot of the n-gram with this hash, or the empty slot for it. is_same: whether the n-gram at a position is it.
    template <class IsSame>
    size_t find(uint32_t hash, IsSame is_same) const {
        for (size_t slot = home(hash);; slot = after(slot)) {
            const Slot& found = slots_[slot];
            if (found.position < 0 || (found.hash == hash && is_same(found.position))) return slot;
        }
    }

    void put(size_t slot, uint32_t hash, int32_t position) {
        num_used_ += slots_[slot].position < 0;
        slots_[slot] = {hash, position};
    }

    // Makes room for `more` n-grams.
    void reserve(size_t more) {
        size_t size = slots_.size();
        while ((num_used_ + more) * 5 > size * 4) size = size / 2 * 3;
        if (size == slots_.size()) return;
        std::vector<Slot> old(size, EMPTY);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.position < 0) continue;
            size_t free = home(slot.hash);
            while (slots_[free].position >= 0) free = after(free);
            slots_[free] = slot;
        }
    }

    size_t nbytes() const { return slots_.size() * sizeof(Slot); }

  private:
    struct Slot {
        uint32_t hash;
        int32_t position;  // -1 if the slot is empty
    };
    static constexpr Slot EMPTY{0, -1};

    size_t after(size_t slot) const { return slot + 1 < slots_.size() ? slot + 1 : 0; }

    std::vector<Slot> slots_ = std::vector<Slot>(48, EMPTY);
    size_t num_used_ = 0;
};

}  // namespace ngramspec
