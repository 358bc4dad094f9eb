// How sure is a drafted token? Estimated and learnt as in plain/survival.py, to the last bit.
#pragma once
#include <array>
#include <atomic>
#include <cmath>
#include <vector>

#include "features.hpp"
#include "mixer.hpp"

namespace ngramspec {

constexpr double PRIOR_ODDS = -1.0, LAST_RATE = 0.015, RATE_DECAY = 0.98, LEAST_ERROR = 0.0003;

// The estimate for a token, and what it takes to learn from it. position: in the draft, counted from 0.
struct Lesson {
    double probability;
    int32_t token, position;
    Features features;
    int16_t foreseen;  // index of the weight for what was foreseen, or NOT_FORESEEN
};

class Survival {
  public:
    Mixer mixer;  // what is learnt for the branches of trees

    double weight(int index) const { return weights_[index].load(std::memory_order_relaxed); }
    double rate(int index) const { return rates_[index].load(std::memory_order_relaxed); }
    void set(int index, double weight, double rate) {
        weights_[index].store(weight, std::memory_order_relaxed);
        rates_[index].store(rate, std::memory_order_relaxed);
    }

    // recent: see `recent_index`. ahead: see `ahead_index`. foreseen: see `foreseen_index`.
    Lesson weigh(const States& states, int offered, int recent, int ahead, int foreseen) const {
        Lesson lesson;
        lesson.features = Features(states, offered);
        const Features& known = lesson.features;
        double odds = weight(known.sources[0]);
        for (int source = 1; source < NUM_SOURCES; source++) odds += weight(known.sources[source]);
        odds += weight(known.pair);
        odds += weight(recent + known.longest) + weight(ahead);
        lesson.foreseen = NOT_FORESEEN;
        if (foreseen != NOT_FORESEEN) {
            lesson.foreseen = int16_t(foreseen + (known.longest > 0));
            odds += weight(lesson.foreseen);
        }
        lesson.probability = 1.0 / (1.0 + std::exp(-PRIOR_ODDS - odds));
        return lesson;
    }

    // right: the tokens that came. recent: the index used in `weigh`.
    void learn(const std::vector<Lesson>& lessons, const int32_t* right, int count, int recent) {
        for (const Lesson& lesson : lessons) {
            if (lesson.position >= count) break;
            double error = double(lesson.token == right[lesson.position]) - lesson.probability;
            if (-LEAST_ERROR < error && error < LEAST_ERROR) continue;
            const Features& known = lesson.features;
            if (lesson.foreseen != NOT_FORESEEN) move(lesson.foreseen, error);
            for (int16_t feature : known.sources) move(feature, error);
            move(known.pair, error);
            move(recent + known.longest, error);
            move(ahead_index(lesson.position), error);
        }
    }

  private:
    void move(int feature, double error) {
        double speed = rate(feature), next = speed;
        if (speed > LAST_RATE) next = std::max(LAST_RATE, speed * RATE_DECAY);
        set(feature, weight(feature) + speed * error, next);
    }

    // Rows of several threads read and learn at the same time: an update may be lost, but no number is half written.
    std::array<std::atomic<double>, NUM_WEIGHTS> weights_{}, rates_{};
};

}  // namespace ngramspec
