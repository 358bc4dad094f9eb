// An index that rows of several threads read while it grows.
#pragma once
#include <mutex>
#include <new>
#include <shared_mutex>

#include "suffix_index.hpp"

namespace ngramspec {

// A mutex that is free in a forked child (see forking.py): all of them are in a list, and the child reinitialises them.
// The interpreter's lock protects the list: it is held when a mutex is made or destroyed, and by the thread that forks.
class SharedMutex {
  public:
    SharedMutex() {
        next_ = first_;
        if (next_) next_->previous_ = this;
        first_ = this;
    }
    ~SharedMutex() {
        (previous_ ? previous_->next_ : first_) = next_;
        if (next_) next_->previous_ = previous_;
    }
    SharedMutex(const SharedMutex&) = delete;

    static void renew_all() {
        for (SharedMutex* each = first_; each; each = each->next_) new (&each->mutex) std::shared_mutex;
    }

    std::shared_mutex mutex;

  private:
    inline static SharedMutex* first_ = nullptr;
    SharedMutex *next_, *previous_ = nullptr;
};

class SharedIndex {
  public:
    using Reading = std::shared_lock<std::shared_mutex>;

    SuffixIndex index;  // to be read while `reading()` is held

    Reading reading() const { return Reading(own_.mutex); }

    // Waits for the rows that are reading; none of them needs the interpreter's lock to finish.
    void extend(const int32_t* tokens, size_t count) {
        std::unique_lock<std::shared_mutex> writing(own_.mutex);
        index.extend(tokens, count);
    }
    int size() const {
        Reading held = reading();
        return index.size();
    }
    std::vector<int32_t> read(int start, int end) const {
        Reading held = reading();
        std::vector<int32_t> tokens;
        for (int at = start; at < std::min(end, index.size()); at++) tokens.push_back(index.token(at));
        return tokens;
    }
    Match latest_longest_match(int max_compared) const {
        Reading held = reading();
        return index.latest_longest_match(max_compared);
    }
    Match find(const int32_t* end, size_t known) const {
        Reading held = reading();
        return index.find(end, int(std::min(known, size_t(MAX_FOUND))));
    }
    size_t nbytes() const {
        Reading held = reading();
        return index.nbytes();
    }

  private:
    mutable SharedMutex own_;
};

}  // namespace ngramspec
