// The state of each source at one position of a draft: the numbers of plain/key.py.
#pragma once
#include <cstdint>

namespace ngramspec {

constexpr int NUM_SOURCES = 5;
constexpr int OWN = 0, PAST = 1, OWN_COPY = 2, PAST_COPY = 3, SPELLED = 4;

constexpr int NUM_BUCKETS = 12, LONGEST = 32, KIND_BITS = 2, STATE_BITS = 6;
constexpr uint8_t BUCKET[LONGEST + 1] = {0, 1, 2, 3, 4, 5, 5, 6, 6, 7, 7, 7,  7,  8,  8,  8, 8,
                                         9, 9, 9, 9, 9, 9, 9, 9, 10, 10, 10, 10, 10, 10, 10, 11};

// The state of a match of this length; its kind, 0 to 3, is added.
constexpr int state_of(int length) { return (BUCKET[length] + 1) << KIND_BITS; }

// The state of each source, a byte each; 0 if it offers nothing.
class States {
  public:
    int operator[](int source) const { return int(bytes_ >> 8 * source & 255); }
    void put(int source, int state) { bytes_ |= uint64_t(state) << 8 * source; }
    bool operator!=(const States& other) const { return bytes_ != other.bytes_; }

  private:
    uint64_t bytes_ = 0;
};

}  // namespace ngramspec
