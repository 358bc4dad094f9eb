// A vector of at most `most` items that allocates no memory.
#pragma once

namespace ngramspec {

template <class T, int most>
struct InlineVector {
    T all[most];
    int count = 0;
    void add(const T& one) { all[count++] = one; }
    T* begin() { return all; }
    T* end() { return all + count; }
    const T* begin() const { return all; }
    const T* end() const { return all + count; }
};

}  // namespace ngramspec
