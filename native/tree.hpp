// A draft that branches: the chain, and beside it what else has followed such contexts, the surest nodes first. As
// plain/tree.py, whose comments say why.
#pragma once
#include "chain.hpp"
#include "mixer.hpp"

namespace ngramspec {

constexpr int32_t ROOT = -1;

class Branches {
  public:
    // Of the nodes of the last tree, in the order in which they were taken. is_unsure: whether a node was left out that
    // was not sure enough.
    std::vector<int32_t> tokens, parents;
    std::vector<double> survivals;
    bool is_unsure = false;

    Branches(const SuffixIndex& own, const SuffixIndex& past, Mixer& mixer) : texts_{&own, &past}, mixer_(mixer) {}

    void forget() {
        tokens.clear();
        parents.clear();
        survivals.clear();
        trunks_.clear();
        weighed_.clear();
        waiting_.clear();
        is_unsure = false;
    }

    // answer: what the history is searched for: the end of the row's text. chain: whose draft is the trunk.
    void grow(const std::vector<int32_t>& answer, const Chain& chain, int max_nodes, double min_survival) {
        forget();
        begin(answer);
        for (int at = ROOT, found = 0;; at++) {
            Branch from = at == ROOT ? Branch{1.0, 0, ROOT, 0, 0} : Branch{survivals[at], 0, at, 0, trunks_[at]};
            branch(from, chain, min_survival, found);
            if (waiting_.empty() || int(tokens.size()) == max_nodes) return;
            std::pop_heap(waiting_.begin(), waiting_.end());
            take(waiting_.back());
            waiting_.pop_back();
        }
    }

    // Learn from the tokens that came what was thought at the nodes that they walk over.
    void learn(const int32_t* committed, int count) {
        int node = ROOT;
        for (int i = 0; i < count && node + 1 < int(weighed_.size()); i++) {
            mixer_.learn(weighed_[size_t(node + 1)], committed[i]);
            int child = node + 1;
            while (child < int(tokens.size()) && (parents[child] != node || tokens[child] != committed[i])) child++;
            if (child == int(tokens.size())) break;
            node = child;
        }
        forget();
    }

  private:
    // A node that may be taken: `number` counts in the order of their finding. trunk: how many of the chain's tokens
    // lead to it, or -1.
    struct Branch {
        double survival;
        int32_t token;
        int parent, number, trunk;

        bool operator<(const Branch& other) const {
            return survival != other.survival ? survival < other.survival : number > other.number;
        }
    };

    void begin(const std::vector<int32_t>& answer) {
        const SuffixIndex& own = *texts_[0];
        for (Tail& each : ends_) each.count = 0;
        for (int at = own.size() - 1; at >= 0 && ends_[0].count < MOST_TOKENS; at--) ends_[0].add(own.token(at));
        for (int at = int(answer.size()) - 1; at >= 0 && ends_[1].count < MOST_TOKENS; at--) ends_[1].add(answer[at]);
    }

    void take(const Branch& branch) {
        tokens.push_back(branch.token);
        parents.push_back(branch.parent);
        survivals.push_back(branch.survival);
        trunks_.push_back(branch.trunk);
    }

    // What each text is searched for at a node.
    void tails_at(int node, Tail tails[NUM_TEXTS]) const {
        Tail path;
        for (; node != ROOT && path.count < MOST_TOKENS; node = parents[node]) path.add(tokens[node]);
        for (int text = 0; text < NUM_TEXTS; text++) {
            tails[text] = path;
            for (int i = 0; i < ends_[text].count && tails[text].count < MOST_TOKENS; i++)
                tails[text].add(ends_[text].all[i]);
        }
    }

    // What may follow a node waits to be taken.
    void branch(const Branch& from, const Chain& chain, double min_survival, int& found) {
        Tail tails[NUM_TEXTS];
        tails_at(from.parent, tails);
        successors_.find(texts_, tails);
        Few<Offer, NUM_SOURCES> offers;
        if (from.trunk >= 0) chain.offers_at(from.trunk, offers);
        weighed_.emplace_back();
        Mixed& mixed = weighed_.back();
        mixer_.weigh(successors_, offers.all, offers.count, mixed);
        double total = 0.0;
        for (const Weighed& each : mixed) total += each.chance;
        total = std::max(1.0, total);
        for (int i = 0; i < mixed.count; i++) {
            const Weighed& each = mixed.all[i];
            double survival = from.survival * (each.chance / total);
            if (survival < min_survival) {
                is_unsure = true;
                continue;
            }
            int trunk = mixed.is_trunk && !i ? from.trunk + 1 : -1;
            waiting_.push_back({survival, each.token, from.parent, found++, trunk});
            std::push_heap(waiting_.begin(), waiting_.end());
        }
    }

    const SuffixIndex* const texts_[NUM_TEXTS];
    Mixer& mixer_;
    Tail ends_[NUM_TEXTS];
    Successors successors_;
    std::vector<int> trunks_;      // of each node, as of a branch
    std::vector<Mixed> weighed_;   // of the root and each node: what may follow it
    std::vector<Branch> waiting_;  // a heap
};

}  // namespace ngramspec
