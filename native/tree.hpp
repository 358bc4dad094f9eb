// A draft that branches: the chain, and other tokens that have followed its contexts, the surest nodes first; or only
// the surest path. As plain/tree.py, whose comments say why.
#pragma once
#include "chain.hpp"
#include "mixer.hpp"

namespace ngramspec {

constexpr int32_t ROOT = -1;
constexpr double GROWS = 1.25, LEAST_NEAR = 0.6, MOST_NEAR = 4.0, SURE_ALONE = 0.99;

class Branches {
  public:
    // Of the nodes of the last draft, in the order in which they were taken. is_unsure: whether a node was left out
    // because it was not sure enough.
    std::vector<int32_t> tokens, parents;
    std::vector<double> survivals;
    bool is_unsure = false;

    Branches(const SuffixIndex& own, const SuffixIndex& past, Mixer& mixer) : texts_{&own, &past}, mixer_(mixer) {}

    void forget() {
        tokens.clear();
        parents.clear();
        survivals.clear();
        by_node_.clear();
        open_.clear();
        num_estimates_ = 0;
        is_unsure = false;
    }

    // answer: the end of the row's text, for which the history is searched. chain: its draft is the trunk. is_steered:
    // whether the chain is steered; then its tokens keep their survival.
    void grow(const std::vector<int32_t>& answer, const Chain& chain, int max_nodes, double min_survival,
              bool is_steered) {
        begin(answer);
        OpenNode node = THE_ROOT;
        for (int at = ROOT, found = 0;; at++) {
            if (at != ROOT && node.survival < GROWS * min_survival)
                pass_over(true);
            else
                expand(at, node, chain, min_survival, is_steered, found);
            if (open_.empty() || int(tokens.size()) == max_nodes) return;
            std::pop_heap(open_.begin(), open_.end());
            node = open_.back();
            open_.pop_back();
            take(node);
        }
    }

    // Only the surest path.
    void grow_path(const std::vector<int32_t>& answer, const Chain& chain, int max_tokens, double min_survival) {
        begin(answer);
        OpenNode node = THE_ROOT;
        for (int at = ROOT; int(tokens.size()) < max_tokens; at++) {
            Offers offers;
            offers_at(node, chain, offers);
            if (node.trunk >= 0 && !offers.count) return;  // the chain ends there
            if (offers.count && decides(offers.all[0].chance, node.survival, min_survival)) {
                pass_over(false);
                node = {node.survival * offers.all[0].chance, offers.all[0].token, at, 0, node.trunk + 1};
            } else if (at != ROOT && node.survival < GROWS * min_survival) {
                return pass_over(true);
            } else if (!surest(at, node, offers, min_survival)) {
                return;
            }
            if (node.survival < min_survival) {
                is_unsure = true;
                return;
            }
            take(node);
        }
    }

    // Learns from the committed tokens, at the nodes on their path.
    void learn(const int32_t* committed, int count) {
        int node = ROOT, size = int(tokens.size());
        for (int i = 0; i < count && node + 1 < int(by_node_.size()); i++) {
            mixer_.learn(estimates_at(node), committed[i]);
            int child = node + 1;
            while (child < size && (parents[child] != node || tokens[child] != committed[i])) child++;
            if (child == size) break;
            node = child;
        }
        forget();
    }

  private:
    using Offers = InlineVector<ChainOffer, Chain::MOST_OFFERS>;

    // A node that may be taken. number: in the order in which they were found. trunk: how many of the chain's tokens
    // lead to it, or -1 for a node off the chain.
    struct OpenNode {
        double survival;
        int32_t token;
        int parent, number, trunk;

        bool operator<(const OpenNode& other) const {
            return survival != other.survival ? survival < other.survival : number > other.number;
        }
    };
    static constexpr OpenNode THE_ROOT{1.0, 0, ROOT, 0, 0};

    void begin(const std::vector<int32_t>& answer) {
        forget();
        const SuffixIndex& own = *texts_[0];
        for (Tail& each : ends_) each.count = 0;
        for (int at = own.size() - 1; at >= 0 && ends_[0].count < MOST_TOKENS; at--) ends_[0].add(own.token(at));
        for (int at = int(answer.size()) - 1; at >= 0 && ends_[1].count < MOST_TOKENS; at--) ends_[1].add(answer[at]);
    }

    void take(const OpenNode& node) {
        tokens.push_back(node.token);
        parents.push_back(node.parent);
        survivals.push_back(node.survival);
    }

    // The tail to search each text for at a node.
    void tails_at(int node, Tail tails[NUM_TEXTS]) const {
        Tail path;
        for (; node != ROOT && path.count < MOST_TOKENS; node = parents[node]) path.add(tokens[node]);
        for (int text = 0; text < NUM_TEXTS; text++) {
            tails[text] = path;
            for (int i = 0; i < ends_[text].count && tails[text].count < MOST_TOKENS; i++)
                tails[text].add(ends_[text].all[i]);
        }
    }

    static void offers_at(const OpenNode& node, const Chain& chain, Offers& offers) {
        if (node.trunk >= 0) chain.offers_at(node.trunk, offers);
    }

    // Whether the chain's choice, to which it gives this chance, stands without mixing.
    static bool decides(double chance, double before, double min_survival) {
        double survival = before * chance;
        bool is_near = LEAST_NEAR * min_survival <= survival && survival <= MOST_NEAR * min_survival;
        return chance > SURE_ALONE || !is_near;
    }

    // There are no estimates at the next node.
    void pass_over(bool was_unsure) {
        by_node_.emplace_back();
        is_unsure = is_unsure || was_unsure;
    }

    // The estimates for the tokens that may follow the node `at`; at most one token more is weighed than can be sure
    // enough.
    const Estimates& estimate(int at, const OpenNode& node, const Offers& offers, double min_survival, int walked) {
        Tail tails[NUM_TEXTS];
        tails_at(at, tails);
        successors_.find(texts_, tails, walked);
        if (estimates_.size() < num_estimates_ + MOST_OFFERED) estimates_.resize(2 * num_estimates_ + MOST_OFFERED);
        by_node_.emplace_back();
        by_node_.back().first = num_estimates_;
        Estimates& estimates = estimates_at(at);
        bool is_bounded = node.survival < (MOST_OFFERED - 1) * min_survival;
        int most = is_bounded ? int(node.survival / min_survival) + 1 : MOST_OFFERED;
        mixer_.weigh(successors_, offers.all, offers.count, most, at == ROOT ? guesses() : Likely(), estimates);
        num_estimates_ += estimates.count;
        return estimates;
    }

    Estimates& estimates_at(int node) {
        Estimates& estimates = by_node_[size_t(node + 1)];
        estimates.all = estimates_.data() + estimates.first;
        return estimates;
    }

    // The model's likeliest alternatives to the last token.
    Likely guesses() const {
        const SuffixIndex& own = *texts_[0];
        Likely found;
        const Likely* likely = own.likely_after(own.size() - 2);
        if (!likely) return found;
        int32_t last = own.token(own.size() - 1);
        for (int rank = 0, count = 0; rank < likely->count(); rank++)
            if (likely->numbers[rank] >> BITS != last) found.numbers[count++] = likely->numbers[rank];
        return found;
    }

    // Opens the nodes that may follow one.
    void expand(int at, const OpenNode& node, const Chain& chain, double min_survival, bool is_steered, int& found) {
        Offers offers;
        offers_at(node, chain, offers);
        const Estimates& estimates = estimate(at, node, offers, min_survival, WALKED);
        if (is_steered && offers.count) return expand_beside(at, node, offers, estimates, min_survival, found);
        for (int i = 0; i < estimates.count; i++) leave_open(child(at, node, estimates, i), min_survival, found);
    }

    // As `expand`, after a node of a steered chain: its token keeps its survival, others share the rest. The chain
    // drafts the surest offered token that its grammar allows; surer ones were refused.
    void expand_beside(int at, const OpenNode& node, const Offers& offers, const Estimates& estimates,
                       double min_survival, int& found) {
        double chance = offers.all[0].chance, rest = 1.0 - chance, total = 0.0;
        auto is_refused = [&](int number) { return number < offers.count && offers.all[number].chance > chance; };
        for (int i = 1; i < estimates.count; i++)
            if (!is_refused(i)) total += estimates.all[i].chance;
        total = std::max(rest, total);
        leave_open({node.survival * chance, offers.all[0].token, at, 0, node.trunk + 1}, min_survival, found);
        for (int i = 1; i < estimates.count; i++) {
            if (is_refused(i)) continue;
            const Estimate& other = estimates.all[i];
            leave_open({node.survival * (other.chance / total * rest), other.token, at, 0, -1}, min_survival, found);
        }
    }

    void leave_open(OpenNode next, double min_survival, int& found) {
        if (next.survival < min_survival) {
            is_unsure = true;
            return;
        }
        next.number = found++;
        open_.push_back(next);
        std::push_heap(open_.begin(), open_.end());
    }

    // Goes on to the surest token that may follow the node; returns whether there is one.
    bool surest(int at, OpenNode& node, const Offers& offers, double min_survival) {
        const Estimates& estimates = estimate(at, node, offers, min_survival, WALKED_BY_CHAINS);
        if (!estimates.count) return false;
        auto is_less = [](const Estimate& one, const Estimate& other) { return one.chance < other.chance; };
        const Estimate* best = std::max_element(estimates.begin(), estimates.end(), is_less);
        node = child(at, node, estimates, int(best - estimates.all));
        return true;
    }

    static OpenNode child(int at, const OpenNode& node, const Estimates& estimates, int number) {
        const Estimate& chosen = estimates.all[number];
        int trunk = estimates.is_trunk && !number ? node.trunk + 1 : -1;
        return {node.survival * (chosen.chance / estimates.total), chosen.token, at, 0, trunk};
    }

    const SuffixIndex* const texts_[NUM_TEXTS];
    Mixer& mixer_;
    Tail ends_[NUM_TEXTS];
    Successors successors_;
    std::vector<Estimates> by_node_;  // of the root and each node
    std::vector<Estimate> estimates_;    // of all nodes
    size_t num_estimates_ = 0;
    std::vector<OpenNode> open_;  // a heap
};

}  // namespace ngramspec
