// A draft that branches: the chain, and beside it what else has followed such contexts, the surest nodes first; or the
// surest path alone. As plain/tree.py, whose comments say why.
#pragma once
#include "chain.hpp"
#include "mixer.hpp"

namespace ngramspec {

constexpr int32_t ROOT = -1;
constexpr double GROWS = 1.25, LEAST_NEAR = 0.6, MOST_NEAR = 4.0, SURE_ALONE = 0.99;

class Branches {
  public:
    // Of the nodes of the last draft, in the order in which they were taken. is_unsure: whether a node was left out that
    // was not sure enough.
    std::vector<int32_t> tokens, parents;
    std::vector<double> survivals;
    bool is_unsure = false;

    Branches(const SuffixIndex& own, const SuffixIndex& past, Mixer& mixer) : texts_{&own, &past}, mixer_(mixer) {}

    void forget() {
        tokens.clear();
        parents.clear();
        survivals.clear();
        thoughts_.clear();
        waiting_.clear();
        num_weighed_ = 0;
        is_unsure = false;
    }

    // answer: what the history is searched for: the end of the row's text. chain: whose draft is the trunk. is_steered:
    // the chain is, and its tokens survive as it says.
    void grow(const std::vector<int32_t>& answer, const Chain& chain, int max_nodes, double min_survival,
              bool is_steered) {
        begin(answer);
        Branch node = THE_ROOT;
        for (int at = ROOT, found = 0;; at++) {
            if (at != ROOT && node.survival < GROWS * min_survival)
                pass_over(true);
            else
                branch(at, node, chain, min_survival, is_steered, found);
            if (waiting_.empty() || int(tokens.size()) == max_nodes) return;
            std::pop_heap(waiting_.begin(), waiting_.end());
            node = waiting_.back();
            waiting_.pop_back();
            take(node);
        }
    }

    // The surest path alone.
    void grow_path(const std::vector<int32_t>& answer, const Chain& chain, int max_tokens, double min_survival) {
        begin(answer);
        Branch node = THE_ROOT;
        for (int at = ROOT; int(tokens.size()) < max_tokens; at++) {
            Offers offers;
            offers_at(node, chain, offers);
            if (node.trunk >= 0 && !offers.count) return;  // the chain ends there
            if (offers.count && has_last_word(offers.all[0].chance, node.survival, min_survival)) {
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

    // Learn from the tokens that came what was thought at the nodes that they walk over.
    void learn(const int32_t* committed, int count) {
        int node = ROOT, size = int(tokens.size());
        for (int i = 0; i < count && node + 1 < int(thoughts_.size()); i++) {
            mixer_.learn(thoughts_at(node), committed[i]);
            int child = node + 1;
            while (child < size && (parents[child] != node || tokens[child] != committed[i])) child++;
            if (child == size) break;
            node = child;
        }
        forget();
    }

  private:
    using Offers = Few<Offer, Chain::MOST_OFFERS>;

    // A node that may be taken, in the order of finding. trunk: how many of the chain's tokens lead to it, or -1.
    struct Branch {
        double survival;
        int32_t token;
        int parent, number, trunk;

        bool operator<(const Branch& other) const {
            return survival != other.survival ? survival < other.survival : number > other.number;
        }
    };
    static constexpr Branch THE_ROOT{1.0, 0, ROOT, 0, 0};

    void begin(const std::vector<int32_t>& answer) {
        forget();
        const SuffixIndex& own = *texts_[0];
        for (Tail& each : ends_) each.count = 0;
        for (int at = own.size() - 1; at >= 0 && ends_[0].count < MOST_TOKENS; at--) ends_[0].add(own.token(at));
        for (int at = int(answer.size()) - 1; at >= 0 && ends_[1].count < MOST_TOKENS; at--) ends_[1].add(answer[at]);
    }

    void take(const Branch& branch) {
        tokens.push_back(branch.token);
        parents.push_back(branch.parent);
        survivals.push_back(branch.survival);
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

    static void offers_at(const Branch& node, const Chain& chain, Offers& offers) {
        if (node.trunk >= 0) chain.offers_at(node.trunk, offers);
    }

    // Whether the chain has it on a token that it gives this chance.
    static bool has_last_word(double chance, double before, double min_survival) {
        double survival = before * chance;
        bool is_near = LEAST_NEAR * min_survival <= survival && survival <= MOST_NEAR * min_survival;
        return chance > SURE_ALONE || !is_near;
    }

    // Nothing is thought at the next node.
    void pass_over(bool was_unsure) {
        thoughts_.emplace_back();
        is_unsure = is_unsure || was_unsure;
    }

    // What may follow the node `at`. No more tokens are weighed than can be sure enough, and one.
    const Thoughts& think(int at, const Branch& node, const Offers& offers, double min_survival, int walked) {
        Tail tails[NUM_TEXTS];
        tails_at(at, tails);
        successors_.find(texts_, tails, walked);
        if (weighed_.size() < num_weighed_ + MOST_OFFERED) weighed_.resize(2 * num_weighed_ + MOST_OFFERED);
        thoughts_.emplace_back();
        thoughts_.back().first = num_weighed_;
        Thoughts& thoughts = thoughts_at(at);
        bool is_bounded = node.survival < (MOST_OFFERED - 1) * min_survival;
        int most = is_bounded ? int(node.survival / min_survival) + 1 : MOST_OFFERED;
        mixer_.weigh(successors_, offers.all, offers.count, most, at == ROOT ? guesses() : Likely(), thoughts);
        num_weighed_ += thoughts.count;
        return thoughts;
    }

    Thoughts& thoughts_at(int node) {
        Thoughts& thoughts = thoughts_[size_t(node + 1)];
        thoughts.all = weighed_.data() + thoughts.first;
        return thoughts;
    }

    // What the model held for likely instead of the last token.
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

    // What may follow a node waits to be taken.
    void branch(int at, const Branch& node, const Chain& chain, double min_survival, bool is_steered, int& found) {
        Offers offers;
        offers_at(node, chain, offers);
        const Thoughts& thoughts = think(at, node, offers, min_survival, WALKED);
        if (is_steered && offers.count) return branch_beside(at, node, offers, thoughts, min_survival, found);
        for (int i = 0; i < thoughts.count; i++) wait(child(at, node, thoughts, i), min_survival, found);
    }

    // As `branch`, after a node of a steered chain: what it drafts survives as it says, the rest is shared. Of what it is
    // offered, it drafts the surest token that its grammar allows; surer ones are refused.
    void branch_beside(int at, const Branch& node, const Offers& offers, const Thoughts& thoughts, double min_survival,
                       int& found) {
        double chance = offers.all[0].chance, rest = 1.0 - chance, total = 0.0;
        auto is_refused = [&](int number) { return number < offers.count && offers.all[number].chance > chance; };
        for (int i = 1; i < thoughts.count; i++)
            if (!is_refused(i)) total += thoughts.all[i].chance;
        total = std::max(rest, total);
        wait({node.survival * chance, offers.all[0].token, at, 0, node.trunk + 1}, min_survival, found);
        for (int i = 1; i < thoughts.count; i++) {
            if (is_refused(i)) continue;
            const Weighed& other = thoughts.all[i];
            wait({node.survival * (other.chance / total * rest), other.token, at, 0, -1}, min_survival, found);
        }
    }

    void wait(Branch next, double min_survival, int& found) {
        if (next.survival < min_survival) {
            is_unsure = true;
            return;
        }
        next.number = found++;
        waiting_.push_back(next);
        std::push_heap(waiting_.begin(), waiting_.end());
    }

    // Goes on to the surest token that may follow the node; returns whether there is one.
    bool surest(int at, Branch& node, const Offers& offers, double min_survival) {
        const Thoughts& thoughts = think(at, node, offers, min_survival, WALKED_BY_CHAINS);
        if (!thoughts.count) return false;
        auto is_less = [](const Weighed& one, const Weighed& other) { return one.chance < other.chance; };
        node = child(at, node, thoughts, int(std::max_element(thoughts.begin(), thoughts.end(), is_less) - thoughts.all));
        return true;
    }

    static Branch child(int at, const Branch& node, const Thoughts& thoughts, int number) {
        const Weighed& weighed = thoughts.all[number];
        int trunk = thoughts.is_trunk && !number ? node.trunk + 1 : -1;
        return {node.survival * (weighed.chance / thoughts.total), weighed.token, at, 0, trunk};
    }

    const SuffixIndex* const texts_[NUM_TEXTS];
    Mixer& mixer_;
    Tail ends_[NUM_TEXTS];
    Successors successors_;
    std::vector<Thoughts> thoughts_;  // of the root and each node
    std::vector<Weighed> weighed_;    // what they consist of
    size_t num_weighed_ = 0;
    std::vector<Branch> waiting_;  // a heap
};

}  // namespace ngramspec
